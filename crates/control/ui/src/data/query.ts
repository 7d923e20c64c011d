// Filters as they stand in an address, so that a search can be shared. Unknown keys are dropped.

export type Filters<K extends string> = Partial<Record<K, string>>;

export const SESSION_FILTERS = ["q", "identity", "target", "protocol", "decision", "state", "from", "to"] as const;
export const OPERATION_FILTERS = ["q", "session", "target", "identity", "decision", "from", "to"] as const;

export function parse<K extends string>(search: string, keys: readonly K[]): Filters<K> {
  const params = new URLSearchParams(search);
  const found: Filters<K> = {};
  for (const key of keys) {
    const value = params.get(key)?.trim();
    if (value) found[key] = value;
  }
  return found;
}

export function print<K extends string>(filters: Filters<K>, keys: readonly K[]): string {
  const params = new URLSearchParams();
  for (const key of keys) {
    const value = filters[key]?.trim();
    if (value) params.set(key, value);
  }
  const text = params.toString();
  return text ? `?${text}` : "";
}

/** The same for the API: what a browser's date field says becomes a moment in UTC. */
export function ask<K extends string>(filters: Filters<K>, keys: readonly K[], before: string | null, limit = 50): string {
  const params = new URLSearchParams(print(filters, keys));
  for (const key of ["from", "to"]) {
    const value = params.get(key);
    const when = value ? new Date(value) : null;
    if (when && !Number.isNaN(when.getTime())) params.set(key, when.toISOString());
    else params.delete(key);
  }
  if (before) params.set("before", before);
  params.set("limit", String(limit));
  return `?${params}`;
}

/** `#t=12.5` or `#op=7`. */
export function parseHash(hash: string): { t: number | null; op: number | null; seq: number | null } {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const number = (key: string) => {
    const text = params.get(key);
    const value = Number(text);
    return text && Number.isFinite(value) && value >= 0 ? value : null;
  };
  return { t: number("t"), op: number("op"), seq: number("seq") };
}
