// 超期: when an incident is overdue, in the browser. The one definition is `is_overdue` in incidents/lifecycle.py.

export const FINAL = new Set(['closed', 'refused', 'void']);

/** The moment an open incident is due: the clock of its stage (the handling clock while a unit has it). Milliseconds or null. */
export const dueOf = (item) => (FINAL.has(item.stage) ? null : item.stage_due_at ?? null);

/** Overdue at `now` (ms): its clock is past. A stage without a clock is never overdue. */
export const isLate = (item, now) => {
  const due = dueOf(item);
  return due !== null && due < now;
};
