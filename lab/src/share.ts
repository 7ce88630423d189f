// The share this server runs with: when it ends, the page says so until somebody has read it.

import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { nearest } from './texts';

const SCHEMA = 'urn:practicum:share:v1';

type Notice = Record<string, string>;

export const sharePlugin: JupyterFrontEndPlugin<void> = {
  id: 'practicum-handin:share',
  description: 'Says when the share of a device that this server runs with has ended.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): void => {
    const language = nearest((translator ?? nullTranslator).languageCode);
    let said = '';
    const say = (notice: Notice): void => {
      const sentence = notice[language] || notice['en'] || '';
      if (sentence && sentence !== said) {
        said = sentence;
        Notification.warning(sentence, { autoClose: false });
      }
    };
    app.serviceManager.events.stream.connect((_, event) => {
      if (event['schema_id'] === SCHEMA) {
        say((event as unknown as { notice: Notice }).notice);
      }
    });
    // What was said before this page was opened.
    void current(app.serviceManager.serverSettings).then(say);
  }
};

async function current(settings: ServerConnection.ISettings): Promise<Notice> {
  try {
    const url = URLExt.join(settings.baseUrl, 'practicum', 'share');
    const answer = await ServerConnection.makeRequest(url, {}, settings);
    return answer.ok ? (await answer.json()).notice : {};
  } catch (error) {
    console.warn('practicum: the share is not known', error);
    return {};
  }
}
