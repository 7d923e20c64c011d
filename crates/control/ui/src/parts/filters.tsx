// A form of filters whose state is the address, so that a search can be shared.

import { useEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "../keys";
import { go, place } from "../router";
import { parse, print, type Filters } from "../data/query";

export interface Field<K extends string> { name: K; label: string; options?: string[]; type?: "search" | "text" | "datetime-local"; hint?: string }

export function FilterForm<K extends string>({ path, keys, fields }: { path: string; keys: readonly K[]; fields: Field<K>[] }) {
  const filters = parse(place.value.search, keys);
  const [draft, setDraft] = useState<Filters<K>>(filters);
  const search = useRef<HTMLInputElement>(null);
  const address = print(filters, keys);
  useEffect(() => setDraft(parse(address, keys)), [address]);
  useKeys([{ keys: "/", does: "search", run: () => search.current?.focus() }]);
  const set = (name: K, value: string, now: boolean) => {
    const next = { ...draft, [name]: value };
    setDraft(next);
    if (now) go(path + print(next, keys), true);
  };
  const set_ = Object.keys(filters).filter((key) => key !== "q").length;
  const input = (field: Field<K>) => ({
    value: draft[field.name] ?? "",
    placeholder: field.hint ?? "",
    onInput: (event: { currentTarget: HTMLInputElement }) => set(field.name, event.currentTarget.value, false),
    onChange: (event: { currentTarget: HTMLInputElement }) => set(field.name, event.currentTarget.value, true),
  });
  const control = (field: Field<K>) => field.options
    ? <select value={draft[field.name] ?? ""} onChange={(event) => set(field.name, event.currentTarget.value, true)}><option value="">any</option>{field.options.map((option) => <option key={option} value={option}>{option}</option>)}</select>
    : field.type === "search" ? <input ref={search} type="search" {...input(field)} />
      : field.type === "datetime-local" ? <input type="datetime-local" {...input(field)} /> : <input type="text" {...input(field)} />;
  const [first, ...rest] = fields;
  return (
    <form class="filters" role="search" onSubmit={(event) => { event.preventDefault(); go(path + print(draft, keys), true); }}>
      {first && <label class="wide-field"><span class="sr">{first.label}</span>{control(first)}</label>}
      <details open={window.innerWidth > 700 || set_ > 0}><summary>Filters{set_ > 0 ? ` (${set_})` : ""}</summary>
        <div class="filter-row">{rest.map((field) => <label key={field.name}><span>{field.label}</span>{control(field)}</label>)}
          {address && <a class="button small" href={path}>Clear</a>}</div></details>
      <button type="submit" class="sr">Search</button>
    </form>
  );
}
