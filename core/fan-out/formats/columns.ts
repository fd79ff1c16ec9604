/** The column that says which row of the split a line is of. */
export const ROW_COLUMN = 'row';
