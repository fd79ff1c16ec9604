/** Elements. Text goes in as text, never as HTML; nothing sets a style attribute: the policy forbids both. */

/** @typedef {Node | string | null | undefined} Child */
/** @typedef {Readonly<Record<string, string | number | boolean | undefined>>} Attributes undefined and false: left out */

/**
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
export const h = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes
 * @param {(Child | Child[])[]} children
 */
export const s = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);

/**
 * The first of `within` that the selector matches; the page has it.
 * @param {ParentNode} within
 * @param {string} selector
 */
export function find(within, selector) {
  const found = within.querySelector(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return /** @type {HTMLElement} */ (found);
}

/** Where a diagram must be tall, and a timeline short. */
export const narrow = matchMedia('(max-width: 820px)');

/** @param {string} id */
export const byId = (id) => find(document, `#${id}`);

/** Decoration: what it says is said in words beside it. @param {string} text */
export const sign = (text) => h('i', { 'aria-hidden': 'true' }, text);

/** @param {string} tone @param {string} icon @param {string} text */
export const pill = (tone, icon, text) => h('span', { class: 'pill', 'data-tone': tone }, sign(icon), text);

/**
 * A moment, whole in the tooltip.
 * @param {string} at
 * @param {string} text
 */
export const time = (at, text) =>
  h('time', { datetime: at, title: new Date(at).toLocaleString('en-GB') }, text);

/** To those who listen. @param {string} text */
export function say(text) {
  byId('spoken').textContent = text;
}

/**
 * An output changes with every reading: it is read aloud only to whoever asks for single values.
 * @param {HTMLElement} output
 * @param {Element} chart
 */
export function speakWhileFocused(output, chart) {
  output.setAttribute('aria-live', 'off');
  chart.addEventListener('focus', () => output.setAttribute('aria-live', 'polite'));
  chart.addEventListener('blur', () => output.setAttribute('aria-live', 'off'));
}
