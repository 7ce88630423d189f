// Open notebooks of an assignment: saved before they are looked at from outside, read again after they were replaced.

import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';

type Context = NonNullable<ReturnType<IDocumentManager['contextForWidget']>>;

export class Documents {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly manager: IDocumentManager
  ) {}

  open(path: string): void {
    this.manager.openOrReveal(path);
  }

  /** Rejects where a document cannot be saved; JupyterLab has told why by then. */
  async save(folder: string): Promise<void> {
    for (const context of this.inside(folder)) {
      if (context.model.dirty && !context.model.readOnly) {
        await context.save();
      }
    }
  }

  async readAgain(folder: string): Promise<void> {
    for (const context of this.inside(folder)) {
      await context.revert();
    }
    if (this.app.commands.hasCommand('filebrowser:refresh')) {
      await this.app.commands.execute('filebrowser:refresh');
    }
  }

  private inside(folder: string): Set<Context> {
    const found = new Set<Context>();
    for (const widget of this.app.shell.widgets('main')) {
      const context = this.manager.contextForWidget(widget);
      // A path may begin with a drive's name ("RTC:").
      if (context && context.path.replace(/^[^/:]*:/, '').startsWith(`${folder}/`)) {
        found.add(context);
      }
    }
    return found;
  }
}
