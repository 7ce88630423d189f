import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';

import { Desk } from './desk';
import { Documents } from './documents';
import { feedbackWidget } from './feedback';
import { AssignmentsPanel } from './panel';
import { sharePlugin } from './share';

const COMMAND = 'practicum:assignments';

const icon = new LabIcon({
  name: 'practicum:assignments',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16"><path class="jp-icon3" fill="#616161" ' +
    'd="M19 3h-4.2a3 3 0 0 0-5.6 0H5a2 2 0 0 0-2 2v14c0 1.1.9 2 2 2h14a2 2 0 0 0 2-2V5a2 2 0 0 0-2-2zm-7 0a1 1 0 1 1 0 2 ' +
    '1 1 0 0 1 0-2zm-1.5 14.5-4-4L8 12l2.5 2.5L16 9l1.5 1.5z"/></svg>'
});

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'practicum-handin:assignments',
  description: 'Assignments of the centre: fetch, validate, submit with a receipt, read feedback.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [ITranslator, ICommandPalette, ILayoutRestorer],
  activate
};

async function activate(
  app: JupyterFrontEnd,
  manager: IDocumentManager,
  translator: ITranslator | null,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null
): Promise<void> {
  const desk = new Desk(app.serviceManager.serverSettings);
  await desk.speak((translator ?? nullTranslator).languageCode);
  const t = desk.texts;
  const panel = new AssignmentsPanel(desk, new Documents(app, manager), (html, which) => {
    app.shell.add(feedbackWidget(html, t.text('Feedback: %(title)s', { title: which.title }), icon), 'main');
  });
  panel.id = 'practicum-assignments';
  panel.title.icon = icon;
  panel.title.caption = t.text('Assignments');
  app.shell.add(panel, 'left', { rank: 150 });
  restorer?.add(panel, panel.id);
  app.commands.addCommand(COMMAND, {
    label: t.text('Assignments: fetch and hand in'),
    icon,
    execute: () => app.shell.activateById(panel.id)
  });
  palette?.addItem({ command: COMMAND, category: 'Practicum' });
}

export default [plugin, sharePlugin];
