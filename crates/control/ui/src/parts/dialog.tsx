// A dialog that asks for a reason, and one that lists the keys. The browser keeps the focus inside.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Failed } from "../api/client";
import { helpOpen, shown } from "../keys";

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => { dialog?.close(); if (before instanceof HTMLElement && before.isConnected) before.focus(); };
  }, []);
  return (
    <dialog ref={element} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose(); }}>
      <header><h2 id={id}>{title}</h2><button type="button" class="quiet" onClick={onClose} aria-label="Close">✕</button></header>
      {children}
    </dialog>
  );
}

export interface ReasonProps {
  title: string;
  action: string;
  danger?: boolean;
  /** What was typed is kept under this name while its writer signs in again. */
  keep: string;
  children?: ComponentChildren;
  onDo: (reason: string) => Promise<void>;
  onClose: () => void;
}

const MOST = 2_000;

export function ReasonDialog({ title, action, danger, keep, children, onDo, onClose }: ReasonProps) {
  const [reason, setReason] = useState(sessionStorage.getItem(keep) ?? "");
  const [error, setError] = useState<Failed | null>(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const bytes = new TextEncoder().encode(reason.trim()).length;
  const good = bytes > 0 && bytes <= MOST;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!good || busy) return;
    setBusy(true);
    setError(null);
    try {
      await onDo(reason.trim());
      sessionStorage.removeItem(keep);
      onClose();
    } catch (why) {
      if (!(why instanceof Failed)) throw why;
      sessionStorage.setItem(keep, reason);
      setError(why);
      setBusy(false);
    }
  };
  const signIn = error && (error.code === "stale-login" || error.status === 401);
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit} class="reason">
        {children}
        <label for={id}>Reason <span class="dim">for the record, and for whoever asked</span></label>
        <textarea id={id} data-first rows={3} required value={reason} onInput={(event) => setReason(event.currentTarget.value)}
          onKeyDown={(event) => { if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) void submit(event); }} />
        {bytes > MOST && <p class="warn">The reason is {bytes - MOST} bytes too long.</p>}
        {error && <div class="warn" role="alert"><p>{error.message}</p>
          {signIn && <p><a class="button" href={`/sign-in?return=${encodeURIComponent(location.pathname + location.search)}`}>Sign in again and come back</a></p>}</div>}
        <footer>
          <span class="dim hint"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span>
          <button type="button" class="button" onClick={onClose}>Cancel</button>
          <button type="submit" class={`button ${danger ? "danger" : "primary"}`} disabled={!good || busy}>{busy ? "Sending…" : action}</button>
        </footer>
      </form>
    </Dialog>
  );
}

export function KeysDialog() {
  if (!helpOpen.value) return null;
  const everywhere = [["g a", "approvals"], ["g l", "live sessions"], ["g s", "sessions"], ["g o", "operations"], ["g p", "policies"], ["g t", "targets"], ["g u", "audit"], ["g h", "health"], ["?", "these keys"], ["Esc", "leave a field or a dialog"]] as const;
  const keys = (text: string) => text.split(" ").map((key) => <kbd key={key}>{key}</kbd>);
  return (
    <Dialog title="Keys" onClose={() => { helpOpen.value = false; }}>
      <div class="keys">
        {shown.value.length > 0 && <section><h3>On this page</h3><dl>{shown.value.map((key) => <div key={key.keys}><dt>{keys(key.keys)}</dt><dd>{key.does}</dd></div>)}</dl></section>}
        <section><h3>Everywhere</h3><dl>{everywhere.map(([key, does]) => <div key={key}><dt>{keys(key)}</dt><dd>{does}</dd></div>)}</dl></section>
      </div>
    </Dialog>
  );
}
