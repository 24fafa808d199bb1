// Timing for the benchmarks: warm-up rounds that do not count, then rounds of which the minimum and the median
// are told, in milliseconds. The minimum is what the machine can do when nobody else wants it.

const clock = () => Number(process.hrtime.bigint()) / 1e6;

export const summary = (times) => {
  const sorted = [...times].sort((a, b) => a - b);
  return {min: sorted[0], median: sorted[Math.floor(sorted.length / 2)], rounds: sorted.length};
};

// `prepare` makes what one round works on and is not timed; `run` may be asynchronous.
export const measure = async (prepare, run, {warmup = 2, rounds = 7} = {}) => {
  const times = [];
  for (let round = 0; round < warmup + rounds; round++) {
    const subject = await prepare();
    globalThis.gc?.();
    const start = clock();
    const pending = run(subject);
    if (pending instanceof Promise) await pending;
    const time = clock() - start;
    if (round >= warmup) times.push(time);
  }
  return summary(times);
};

// One operation at a time on one long-lived subject, `rounds` times after `warmup` times.
export const measureEach = async (run, {warmup = 20, rounds = 200} = {}) => {
  const times = [];
  for (let round = 0; round < warmup + rounds; round++) {
    const start = clock();
    const pending = run(round);
    if (pending instanceof Promise) await pending;
    const time = clock() - start;
    if (round >= warmup) times.push(time);
  }
  return summary(times);
};

export const check = (condition, what) => {
  if (!condition) throw new Error(`the benchmark did not do its work: ${what}`);
};
