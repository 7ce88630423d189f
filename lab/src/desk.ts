// The server extension's addresses, one function each. Every failure is a `Refusal` with a sentence.

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { nearest, Texts } from './texts';

export interface Receipt {
  id: string;
  number: number;
  sha256: string;
  size: number;
  submitted_at: string;
  on_time: boolean;
}

export interface Assignment {
  course: string;
  course_title: string;
  assignment: string;
  title: string;
  due_at: string | null;
  closes_at: string | null;
  attempts_left: number | null;
  state: 'new' | 'submitted' | 'graded' | 'feedback';
  receipts: Receipt[];
  score: { earned: number; possible: number } | null;
  feedback: string[];
  folder: string | null;
  notebook: string | null;
  changed: boolean | null;
}

export interface Finding {
  cell: string;
  sentence: string;
}

export class Refusal extends Error {}

export class Desk {
  texts = new Texts('en');

  constructor(private readonly settings: ServerConnection.ISettings) {}

  /** Speak the language of this tag from now on; English where the catalogue cannot be had. */
  async speak(tag: string): Promise<void> {
    const language = nearest(tag);
    this.texts = new Texts(language);
    if (language !== 'en') {
      try {
        this.texts = new Texts(language, await this.json('texts'));
      } catch (error) {
        console.warn('practicum: no catalogue', error);
      }
    }
  }

  /** `quietly`: not a sign of somebody at work, so an idle server may still be stopped. */
  async assignments(quietly: boolean): Promise<Assignment[]> {
    return (await this.json('assignments', 'GET', undefined, quietly)).assignments;
  }

  fetch(which: Assignment, again: boolean): Promise<{ folder: string; kept: string | null }> {
    return this.json(`${of(which)}/fetch`, 'POST', { again });
  }

  async validate(which: Assignment): Promise<Finding[]> {
    const { results } = await this.json(`${of(which)}/validate`, 'POST', {});
    return results.flatMap((each: { findings: Finding[] }) => each.findings);
  }

  async feedback(which: Assignment, receipt: string): Promise<string> {
    return (await this.json(`${of(which)}/feedback/${receipt}`)).html;
  }

  receiptUrl(which: Assignment, receipt: Receipt): string {
    return this.url(`${of(which)}/receipts/${receipt.id}`, false);
  }

  /** Hands in what is saved; `told` hears how much has arrived. */
  async submit(which: Assignment, told: (sent: number, size: number) => void): Promise<Receipt> {
    const answer = await this.request(`${of(which)}/submit`, 'POST', {});
    let receipt: Receipt | null = null;
    for await (const line of lines(answer)) {
      if (line.error) {
        throw new Refusal(line.error.sentence);
      }
      receipt = line.receipt ?? receipt;
      if (line.size) {
        told(line.sent, line.size);
      }
    }
    if (receipt === null) {
      throw new Refusal(this.broken());
    }
    return receipt;
  }

  private broken(): string {
    return this.texts.text(
      'The connection to your server broke. What it had begun may still come to its end: refresh to see how things stand.'
    );
  }

  private url(path: string, quietly: boolean): string {
    const query = `?language=${this.texts.language}${quietly ? '&no_track_activity=1' : ''}`;
    return URLExt.join(this.settings.baseUrl, 'practicum/handin', path) + query;
  }

  private async json(path: string, method = 'GET', body?: object, quietly = false): Promise<any> {
    const answer = await this.request(path, method, body, quietly);
    try {
      return await answer.json();
    } catch {
      throw new Refusal(this.broken());
    }
  }

  private async request(path: string, method: string, body?: object, quietly = false): Promise<Response> {
    const init = body ? { method, body: JSON.stringify(body) } : { method };
    let answer: Response;
    try {
      answer = await ServerConnection.makeRequest(this.url(path, quietly), init, this.settings);
    } catch {
      throw new Refusal(this.broken());
    }
    if (!answer.ok) {
      const refused = await answer.json().catch(() => ({}));
      throw new Refusal(
        refused.sentence ?? this.texts.text('Your server answered with an error (%(status)s).', { status: answer.status })
      );
    }
    return answer;
  }
}

function of(which: Assignment): string {
  return `courses/${which.course}/assignments/${which.assignment}`;
}

async function* lines(answer: Response): AsyncGenerator<any> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    const parts = (rest + (value ?? '')).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      yield JSON.parse(part);
    }
    if (done) {
      return;
    }
  }
}
