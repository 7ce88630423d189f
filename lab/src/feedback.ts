// Feedback in a tab of its own. It holds what a learner wrote, so it gets no scripts, no origin and no network.

import { MainAreaWidget } from '@jupyterlab/apputils';
import { LabIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { h } from './dom';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";

export function feedbackWidget(html: string, title: string, icon: LabIcon): MainAreaWidget {
  // The policy stands before everything else in the document, so nothing in it was parsed without.
  const page = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">${html}`;
  const frame = h('iframe', { sandbox: '', srcdoc: page, title, class: 'practicum-feedback' });
  const content = new Widget({ node: h('div', { class: 'practicum-feedback-area' }, frame) });
  const widget = new MainAreaWidget({ content });
  widget.toolbar.hide();
  widget.title.label = title;
  widget.title.icon = icon;
  widget.title.closable = true;
  return widget;
}
