// Times as people read them.

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000]
];

/** In the reader's own zone: `Thu, 26 Nov, 14:30`. */
export function local(moment: string, language: string): string {
  // The browser knows whether its reader's English is one of 24 hours or of 12.
  const region = navigator.languages.find(tag => tag.split('-')[0] === language.split('-')[0]);
  return new Intl.DateTimeFormat(region ?? language, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit'
  }).format(new Date(moment));
}

/** `in 2 days`, `3 hours ago`: rounded towards now, so that nobody is promised time they do not have. Never `tomorrow`, which
 * 47 hours may not be. */
export function relative(moment: string, now: number, language: string): string {
  const distance = new Date(moment).getTime() - now;
  const [unit, length] = STEPS.find(([, step]) => Math.abs(distance) >= step) ?? STEPS[2];
  return new Intl.RelativeTimeFormat(language, { numeric: 'always' }).format(Math.trunc(distance / length), unit);
}

/** `2026-11-24 06:30:12`, for receipts: the same for everybody. */
export function utc(moment: string): string {
  return moment.replace('T', ' ').replace('Z', '');
}
