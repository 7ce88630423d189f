// The sidebar: all assignments by course, and what happens when a button is pressed.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { Action, Busy, card, CardState, Outcome } from './card';
import { Assignment, Desk, Refusal } from './desk';
import { Documents } from './documents';
import { h } from './dom';

const LOOK_EVERY_MS = 60_000;

export class AssignmentsPanel extends Widget {
  private assignments: Assignment[] | null = null;
  private trouble: string | null = null;
  private readonly states = new Map<string, CardState>();
  private readonly list = h('div', { class: 'practicum-list' });
  // Outside of what is drawn anew: a live region must stay the same element to be heard.
  private readonly said = h('div', { class: 'practicum-said', role: 'status', 'aria-live': 'polite' });
  private timer = 0;
  private looking = 0;

  constructor(
    private readonly desk: Desk,
    private readonly documents: Documents,
    private readonly showFeedback: (html: string, which: Assignment) => void
  ) {
    super();
    const t = desk.texts;
    this.addClass('practicum-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', t.text('Assignments'));
    this.node.append(
      h(
        'header',
        {},
        h('h2', {}, t.text('Assignments')),
        h('button', { class: 'jp-mod-styled', 'data-action': 'refresh', click: () => void this.look(false) }, t.text('Refresh'))
      ),
      this.said,
      this.list
    );
    this.draw();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this.look(false);
    this.timer = window.setInterval(() => document.hidden || void this.look(true), LOOK_EVERY_MS);
  }

  protected onBeforeHide(message: Message): void {
    super.onBeforeHide(message);
    window.clearInterval(this.timer);
  }

  dispose(): void {
    window.clearInterval(this.timer);
    super.dispose();
  }

  /** Ask the centre and draw. Of several at once only the last one begun counts. */
  private async look(quietly: boolean): Promise<void> {
    const number = ++this.looking;
    let found = this.assignments;
    let trouble: string | null = null;
    try {
      found = await this.desk.assignments(quietly);
    } catch (error) {
      trouble = sentence(error);
    }
    if (number === this.looking && !this.isDisposed) {
      this.assignments = found;
      if (trouble !== null && trouble !== this.trouble) {
        this.say(trouble);
      }
      this.trouble = trouble;
      this.draw();
    }
  }

  private say(text: string): void {
    this.said.textContent = text;
  }

  private draw(): void {
    const t = this.desk.texts;
    const kept = this.remember();
    const parts: HTMLElement[] = [];
    if (this.trouble !== null) {
      parts.push(h('p', { class: 'practicum-outcome practicum-error' }, this.trouble));
    }
    if (this.assignments === null) {
      parts.push(...(this.trouble === null ? [h('p', {}, t.text('Asking the centre…'))] : []));
    } else if (this.assignments.length === 0) {
      parts.push(h('p', {}, t.text('Nothing has been released to you yet. Your instructor decides when; look again later.')));
    }
    for (const [title, listed] of byCourse(this.assignments ?? [])) {
      parts.push(h('section', {}, h('h3', {}, title), ...listed.map(each => this.card(each))));
    }
    this.list.replaceChildren(...parts);
    this.restore(kept);
  }

  private card(which: Assignment): HTMLElement {
    return card(this.desk, which, this.state(which), action => void this.act(which, action));
  }

  private state(which: Assignment): CardState {
    const key = `${which.course}/${which.assignment}`;
    const state = this.states.get(key) ?? { busy: null, outcome: null };
    this.states.set(key, state);
    return state;
  }

  private async act(which: Assignment, action: Action): Promise<void> {
    if (action === 'open') {
      this.documents.open(which.notebook ?? which.folder!);
      return;
    }
    if (action === 'submit' && !(await this.confirmed(which))) {
      return;
    }
    const state = this.state(which);
    state.outcome = null;
    try {
      state.outcome = await this.done(which, action, busy => {
        state.busy = busy;
        this.draw();
      });
    } catch (error) {
      state.outcome = { kind: 'error', sentence: sentence(error) };
    }
    state.busy = null;
    this.draw();
    this.say(heard(this.card(which)));
    await this.look(false);
  }

  private async done(which: Assignment, action: Action, tell: (busy: Busy) => void): Promise<Outcome | null> {
    const t = this.desk.texts;
    const begin = (text: string) => {
      tell({ sentence: text, share: null });
      this.say(text);
    };
    switch (action) {
      case 'fetch':
      case 'again': {
        begin(t.text('Fetching…'));
        if (which.folder !== null) {
          await this.documents.save(which.folder);
        }
        const { folder, kept } = await this.desk.fetch(which, action === 'again');
        await this.documents.readAgain(folder);
        return {
          kind: 'note',
          sentence:
            kept === null
              ? t.text('Fetched into %(folder)s.', { folder })
              : t.text('Fetched again. Your earlier folder is now %(kept)s.', { kept })
        };
      }
      case 'validate':
        begin(t.text('Running the tests…'));
        await this.documents.save(which.folder!);
        return { kind: 'findings', findings: await this.desk.validate(which) };
      case 'submit':
        begin(t.text('Saving and handing in…'));
        await this.documents.save(which.folder!);
        return {
          kind: 'receipt',
          receipt: await this.desk.submit(which, (sent, size) =>
            tell({ sentence: t.text('Handing in: %(share)s', { share: `${Math.floor((100 * sent) / size)}%` }), share: sent / size })
          )
        };
      case 'feedback':
        begin(t.text('Fetching your feedback…'));
        this.showFeedback(await this.desk.feedback(which, latestFeedback(which)), which);
        return null;
      default:
        return null;
    }
  }

  /** Asks only where handing in costs something: it comes late, or hand-ins are counted. */
  private async confirmed(which: Assignment): Promise<boolean> {
    const t = this.desk.texts;
    const reasons = [];
    if (which.due_at !== null && new Date(which.due_at).getTime() <= Date.now()) {
      reasons.push(t.text('The due date has passed, so this will be marked late.'));
    }
    if (which.attempts_left !== null) {
      reasons.push(t.count('You can hand in %(count)s more time.', 'You can hand in %(count)s more times.', which.attempts_left));
    }
    if (reasons.length === 0) {
      return true;
    }
    const answer = await showDialog({
      title: t.text('Hand in %(title)s?', { title: which.title }),
      body: reasons.join(t.language === 'en' ? ' ' : ''),
      buttons: [Dialog.cancelButton({ label: t.text('Not yet') }), Dialog.okButton({ label: t.text('Submit') })]
    });
    return answer.button.accept;
  }

  /** Where the focus is and which details are open, by name: the elements themselves are about to be replaced. */
  private remember(): { focus: string | null; open: string[] } {
    const name = (element: Element, attribute: string) =>
      `[data-assignment="${element.closest('[data-assignment]')?.getAttribute('data-assignment')}"] ` +
      `[${attribute}="${element.getAttribute(attribute)}"]`;
    const active = this.list.contains(document.activeElement) ? document.activeElement : null;
    return {
      focus: active?.hasAttribute('data-action') ? name(active, 'data-action') : null,
      open: [...this.list.querySelectorAll('details[open][data-part]')].map(each => name(each, 'data-part'))
    };
  }

  private restore({ focus, open }: { focus: string | null; open: string[] }): void {
    for (const selector of open) {
      this.list.querySelector(selector)?.setAttribute('open', '');
    }
    if (focus !== null) {
      this.list.querySelector<HTMLElement>(focus)?.focus();
    }
  }
}

function byCourse(assignments: Assignment[]): Map<string, Assignment[]> {
  const found = new Map<string, Assignment[]>();
  for (const each of assignments) {
    found.set(each.course_title, [...(found.get(each.course_title) ?? []), each]);
  }
  return found;
}

function latestFeedback(which: Assignment): string {
  const known = [...which.receipts].sort((a, b) => b.number - a.number).find(each => which.feedback.includes(each.id));
  return known?.id ?? which.feedback[which.feedback.length - 1];
}

/** What came of a click for whoever listens: all of it but what is folded away. */
function heard(card: HTMLElement): string {
  const outcome = card.querySelector('.practicum-outcome');
  const parts = [...(outcome?.querySelectorAll('strong, b, p, .practicum-facts > div') ?? [])];
  const open = parts.filter(part => !part.closest('details')).map(part => part.textContent);
  return open.length > 1 ? open.join(' ') : outcome?.textContent ?? '';
}

function sentence(error: unknown): string {
  return error instanceof Refusal || error instanceof Error ? error.message : String(error);
}
