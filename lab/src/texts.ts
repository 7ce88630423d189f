// What the panel says, in the language JupyterLab speaks. The catalogue is the server extension's, one for both.

type Fields = Record<string, string | number>;

interface Catalogue {
  singular: Record<string, string>;
  plural: Record<string, string[]>;
}

export class Texts {
  constructor(
    readonly language: string,
    private readonly catalogue: Catalogue = { singular: {}, plural: {} }
  ) {}

  /** The text, its `%(name)s` fields filled in; English where there is no translation. */
  text(message: string, fields: Fields = {}): string {
    return filled(this.catalogue.singular[message] || message, fields);
  }

  /** The form for `count`, which is also the field `count`. */
  count(one: string, many: string, count: number): string {
    const forms = this.catalogue.plural[one] ?? [one, many];
    return filled(count === 1 || forms.length === 1 ? forms[0] : forms[1], { count });
  }
}

/** The language of ours nearest to JupyterLab's: any Chinese is nearer to Simplified Chinese than English is. */
export function nearest(tag: string): string {
  return tag.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

function filled(text: string, fields: Fields): string {
  return text.replace(/%\((\w+)\)s/g, (_, name) => String(fields[name] ?? ''));
}
