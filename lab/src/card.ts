// One assignment: what it is, how it stands, what can be done with it, and what came of the last click.

import { Assignment, Desk, Finding, Receipt } from './desk';
import { h, prose } from './dom';
import { Texts } from './texts';
import { local, relative, utc } from './times';

export type Outcome =
  | { kind: 'receipt'; receipt: Receipt }
  | { kind: 'findings'; findings: Finding[] }
  | { kind: 'error'; sentence: string }
  | { kind: 'note'; sentence: string };

export interface Busy {
  sentence: string;
  share: number | null;
}

export type Action = 'fetch' | 'again' | 'open' | 'validate' | 'submit' | 'feedback';

export interface CardState {
  busy: Busy | null;
  outcome: Outcome | null;
}

export function card(desk: Desk, which: Assignment, state: CardState, act: (action: Action) => void): HTMLElement {
  const t = desk.texts;
  const id = `practicum-${which.course}-${which.assignment}`;
  return h(
    'article',
    { class: 'practicum-card', 'aria-labelledby': id, 'data-assignment': `${which.course}/${which.assignment}` },
    h('h4', { id }, which.title),
    due(t, which),
    standing(t, which),
    buttons(t, which, state, act),
    state.busy && progress(state.busy),
    state.outcome && outcome(t, which, state.outcome),
    receipts(desk, which),
    which.folder !== null && again(t, state.busy !== null, act)
  );
}

function due(t: Texts, which: Assignment): HTMLElement {
  if (which.due_at === null) {
    return h('p', { class: 'practicum-due' }, t.text('No due date'));
  }
  const now = Date.now();
  const late = new Date(which.due_at).getTime() <= now;
  const closed = which.closes_at !== null && new Date(which.closes_at).getTime() <= now;
  const missed = late && which.receipts.length === 0;
  return h(
    'p',
    { class: missed ? 'practicum-due practicum-missed' : 'practicum-due' },
    h('time', { datetime: which.due_at }, t.text('Due %(time)s', { time: local(which.due_at, t.language) })),
    ` · ${closed ? t.text('closed') : relative(which.due_at, now, t.language)}`
  );
}

/** Several facts, in words: no colour alone says anything. */
function standing(t: Texts, which: Assignment): HTMLElement {
  const facts = [];
  if (which.score !== null) {
    facts.push(t.text('Score: %(earned)s of %(possible)s', { ...which.score }));
  }
  if (which.state === 'graded' && which.score === null) {
    facts.push(t.text('Graded; the result comes with the feedback'));
  } else if (which.receipts.length > 0 && which.score === null) {
    facts.push(t.text('Handed in'));
  } else if (which.score === null) {
    facts.push(which.folder === null ? t.text('Not fetched yet') : t.text('Not handed in yet'));
  }
  if (which.changed) {
    facts.push(t.text('changed since you handed in'));
  }
  if (which.attempts_left !== null) {
    facts.push(t.count('%(count)s hand-in left', '%(count)s hand-ins left', which.attempts_left));
  }
  return h('p', { class: 'practicum-standing' }, facts.join(' · '));
}

/** The one that most likely comes next stands out. */
function buttons(t: Texts, which: Assignment, state: CardState, act: (action: Action) => void): HTMLElement {
  const busy = state.busy !== null;
  const passed = state.outcome?.kind === 'findings' && state.outcome.findings.length === 0;
  const handsIn = which.receipts.length === 0 ? passed : which.changed === true;
  const offered: [Action, string, boolean][] =
    which.folder === null
      ? [['fetch', t.text('Fetch'), true]]
      : [
          ['open', t.text('Open'), which.notebook !== null && which.receipts.length === 0 && !handsIn],
          ['validate', t.text('Validate'), false],
          ['submit', t.text('Submit'), handsIn]
        ];
  if (which.feedback.length > 0) {
    offered.push(['feedback', t.text('Feedback'), true]);
  }
  return h(
    'div',
    { class: 'practicum-actions', role: 'group', 'aria-label': which.title },
    ...offered.map(([action, label, first]) => button(label, action, first, busy, act))
  );
}

function button(label: string, action: Action, first: boolean, busy: boolean, act: (action: Action) => void): HTMLElement {
  // Not `disabled` while busy: the focus would be lost, and somebody at a keyboard with it.
  return h(
    'button',
    {
      class: first ? 'jp-mod-styled jp-mod-accept' : 'jp-mod-styled',
      'data-action': action,
      'aria-disabled': String(busy),
      click: () => busy || act(action)
    },
    label
  );
}

function progress(busy: Busy): HTMLElement {
  const bar = h('progress', { max: 1, 'aria-label': busy.sentence, ...(busy.share === null ? {} : { value: busy.share }) });
  return h('div', { class: 'practicum-busy' }, h('span', {}, busy.sentence), bar);
}

function outcome(t: Texts, which: Assignment, found: Outcome): HTMLElement {
  switch (found.kind) {
    case 'error':
      return h('div', { class: 'practicum-outcome practicum-error' }, h('strong', {}, t.text('That did not work.')), ' ', found.sentence);
    case 'note':
      return h('div', { class: 'practicum-outcome' }, found.sentence);
    case 'receipt':
      return h(
        'div',
        { class: 'practicum-outcome practicum-good' },
        h('strong', {}, `✓ ${t.text('Handed in: the centre has your work.')}`),
        receiptFacts(t, found.receipt)
      );
    case 'findings':
      return findings(t, which, found.findings);
  }
}

function findings(t: Texts, which: Assignment, found: Finding[]): HTMLElement {
  if (found.length === 0) {
    return h(
      'div',
      { class: 'practicum-outcome practicum-good' },
      h('strong', {}, `✓ ${t.text('All tests you can see pass.')}`),
      which.receipts.length === 0 && ` ${t.text('Submit to hand in; hidden tests and written parts are graded after that.')}`
    );
  }
  const [first, ...others] = found.map(each => h('li', {}, h('b', {}, each.cell), h('p', {}, ...prose(each.sentence))));
  return h(
    'div',
    { class: 'practicum-outcome practicum-todo' },
    h('strong', {}, t.count('%(count)s cell is not right yet.', '%(count)s cells are not right yet. Begin with:', found.length)),
    h('ul', {}, first),
    others.length > 0 &&
      h('details', {}, h('summary', {}, t.count('%(count)s more', '%(count)s more', others.length)), h('ul', {}, ...others))
  );
}

function receiptFacts(t: Texts, receipt: Receipt): HTMLElement {
  const verdict = receipt.on_time ? t.text('on time') : t.text('late');
  return h(
    'div',
    { class: 'practicum-facts' },
    h('div', {}, `${t.text('Receipt %(number)s', { number: receipt.number })} · ${verdict}`),
    h('div', {}, h('time', { datetime: receipt.submitted_at }, `${utc(receipt.submitted_at)} UTC`)),
    h('div', { title: receipt.sha256 }, `SHA-256 ${receipt.sha256.slice(0, 12)}…`)
  );
}

function receipts(desk: Desk, which: Assignment): HTMLElement | null {
  const t = desk.texts;
  if (which.receipts.length === 0) {
    return null;
  }
  const listed = [...which.receipts].sort((a, b) => b.number - a.number);
  return h(
    'details',
    { class: 'practicum-receipts', 'data-part': 'receipts' },
    h('summary', {}, t.count('%(count)s receipt', '%(count)s receipts', listed.length)),
    ...listed.map(each =>
      h(
        'div',
        { class: 'practicum-receipt' },
        receiptFacts(t, each),
        h('a', { href: desk.receiptUrl(which, each), download: true }, t.text('Save receipt %(number)s', { number: each.number }))
      )
    )
  );
}

function again(t: Texts, busy: boolean, act: (action: Action) => void): HTMLElement {
  return h(
    'details',
    { 'data-part': 'more' },
    h('summary', {}, t.text('More')),
    h('p', {}, t.text('Start afresh with the original. Your folder is kept under another name.')),
    button(t.text('Fetch again'), 'again', false, busy, act)
  );
}
