import type { Liveness } from "../api/stream";

const SAYS: Record<Liveness, string> = { live: "live", connecting: "connecting", polling: "every 5 s: the live stream is down" };

export function LiveDot({ state }: { state: Liveness }) {
  return <span class={`dot dot-${state}`} role="status">{SAYS[state]}</span>;
}
