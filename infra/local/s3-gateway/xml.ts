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

/** @returns undefined where a reference is to no character: beyond Unicode, or half of a surrogate pair */
function unescape(text: string): string | undefined {
  let isWellFormed = true;
  const unescaped = text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return ENTITIES[name] ?? whole;
    const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    const isCharacter = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    isWellFormed &&= isCharacter;
    return isCharacter ? String.fromCodePoint(code) : '';
  });
  return isWellFormed ? unescaped : undefined;
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
      const unescaped = unescape(characters);
      if (unescaped === undefined) return undefined;
      current.text += unescaped;
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
