// Whether the gate's parts are well.

import { useEffect } from "preact/hooks";
import type { Health } from "../api/types";
import { Problem, Waiting, useLoad } from "../parts/load";
import { Badge, Name } from "../parts/words";
import { duration } from "../text/time";

export function HealthPage() {
  const { data, error, reload } = useLoad<Health>("/v1/health");
  useEffect(() => { const timer = setInterval(() => void reload(), 10_000); return () => clearInterval(timer); }, []);
  return (
    <section>
      <div class="head"><h1>Health</h1>{data && <span class="dim">version {data.version}, up {duration(data.uptime_s * 1000)}</span>}</div>
      {error && <Problem error={error} retry={() => void reload()} />}
      {!data ? !error && <Waiting /> : <ul class="parts">{data.parts.map((part) => <li key={part.name}><Name text={part.name} class="who" /><Badge word={part.state} /><span class="dim"><Name text={part.detail} /></span></li>)}</ul>}
    </section>
  );
}
