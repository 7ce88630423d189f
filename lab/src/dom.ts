// Elements without a framework. Text is always text: nothing here takes HTML.

type Child = Node | string | null | false;

interface Properties {
  [name: string]: string | boolean | number | ((event: Event) => void);
}

/** An element: functions become listeners, `true` an empty attribute, `false` none. */
export function h(tag: string, properties: Properties = {}, ...children: Child[]): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') {
      made.addEventListener(name, value);
    } else if (value !== false) {
      made.setAttribute(name, value === true ? '' : String(value));
    }
  }
  made.append(...children.filter((child): child is Node | string => child !== null && child !== false));
  return made;
}

/** A sentence whose `backticked` words are code. */
export function prose(sentence: string): (HTMLElement | string)[] {
  const parts = sentence.split('`');
  return parts.length % 2 === 0 ? [sentence] : parts.map((part, at) => (at % 2 ? h('code', {}, part) : part));
}
