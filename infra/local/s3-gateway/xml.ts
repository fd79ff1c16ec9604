/** The little XML that S3's bodies need: elements and text. No attributes are read, no DTD, no namespaces resolved. */

/** Serialised XML, as opposed to text that must still be escaped. */
export interface Xml {
  readonly xml: string;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Control characters are written as references: XML 1.0 forbids them, S3 sends them nonetheless. */
const SPECIAL = /[&<>"\p{Cc}]/gu;

function escape(text: string): string {
  return text.replace(SPECIAL, (char) => ESCAPES[char] ?? `&#x${char.charCodeAt(0).toString(16)};`);
}

/** @param content text, or child elements; undefined children are left out */
export function element(
  name: string,
  content: string | number | boolean | readonly (Xml | undefined)[],
  namespace?: string,
): Xml {
  const inner =
    typeof content === 'object' ? content.map((child) => child?.xml ?? '').join('') : escape(String(content));
  return { xml: `<${name}${namespace === undefined ? '' : ` xmlns="${namespace}"`}>${inner}</${name}>` };
}

export const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

export const document = (root: Xml) => `<?xml version="1.0" encoding="UTF-8"?>\n${root.xml}`;

export const xmlResponse = (body: string, status = 200) =>
  new Response(body, { status, headers: { 'content-type': 'application/xml' } });

export interface XmlNode {
  readonly name: string;
  readonly text: string;
  readonly children: readonly XmlNode[];
}

/** Text of the first child of that name. */
export const childText = (node: XmlNode, name: string) =>
  node.children.find((child) => child.name === name)?.text;

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescape(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name] ?? whole;
  });
}

/** One tag, or the text before the next: `<?…?>`, `<!--…-->`, `<a x="y">`, `</a>`, `<a/>`. */
const TOKEN = /<\?[^>]*\?>|<!--[\s\S]*?-->|<(\/?)([\w:.-]+)[^<>]*?(\/?)>|([^<]+)/y;

interface OpenNode {
  readonly name: string;
  text: string;
  readonly children: OpenNode[];
}

/** @returns the root element, undefined where the text is not well-formed */
export function parseXml(source: string): XmlNode | undefined {
  const top: OpenNode = { name: '', text: '', children: [] };
  const open: OpenNode[] = [top];
  const token = new RegExp(TOKEN);
  const text = source.trim();
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    const current = open.at(-1);
    if (match === null || current === undefined) return undefined;
    const [, closing, name, selfClosing, characters] = match;
    if (characters !== undefined) {
      current.text += unescape(characters);
    } else if (name !== undefined && closing === '/') {
      if (current.name !== name || open.length === 1) return undefined;
      open.pop();
    } else if (name !== undefined) {
      const node: OpenNode = { name, text: '', children: [] };
      current.children.push(node);
      if (selfClosing !== '/') open.push(node);
    }
  }
  return open.length === 1 && top.children.length === 1 ? top.children[0] : undefined;
}
