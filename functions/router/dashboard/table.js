/** Tables. The roles keep one a table where the style lays it out as cards. */
import { h } from './dom.js';
/** @import { Child } from './dom.js' */

/**
 * @template Row
 * @typedef {readonly [name: string, cell: (row: Row) => Child | Child[], kind?: string]} Column
 */

/**
 * @template Row
 * @param {Element} element
 * @param {readonly Column<Row>[]} columns the first heads its row
 * @param {readonly Row[]} rows
 */
export function fillTable(element, columns, rows) {
  const head = columns.map(([name, , kind = '']) =>
    h('th', { role: 'columnheader', scope: 'col', class: kind }, name),
  );
  const body = rows.map((row) =>
    h(
      'tr',
      { role: 'row' },
      ...columns.map(([name, cell, kind = ''], i) => {
        const attributes = { class: kind, 'data-label': name };
        return i === 0
          ? h('th', { ...attributes, role: 'rowheader', scope: 'row' }, cell(row))
          : h('td', { ...attributes, role: 'cell' }, cell(row));
      }),
    ),
  );
  element.setAttribute('role', 'table');
  element.replaceChildren(
    h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, ...head)),
    h('tbody', { role: 'rowgroup' }, ...body),
  );
}
