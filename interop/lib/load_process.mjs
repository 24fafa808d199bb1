// What the server's processes cost, from /proc: the kernel's own count, the same for every server.
import {readFileSync, readdirSync, statSync} from 'node:fs';
import path from 'node:path';

const TICK_MS = 10; // USER_HZ is 100 on every Linux this runs on

const status = (pid, name) => {
  const found = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(found[1]);
};
const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);

/** Milliseconds of processor time, of all threads, user and system. */
export const cpuMs = (pids) =>
  sum(pids, (pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  });

/** Microseconds of processor time of the first thread of each: of those here, the one with the event loop. */
export const loopUs = (pids) =>
  sum(pids, (pid) => Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ')[0]) / 1000);

/** kB in memory now, and the most since the processes started. */
export const residentKb = (pids) => sum(pids, (pid) => status(pid, 'VmRSS'));
export const peakKb = (pids) => sum(pids, (pid) => status(pid, 'VmHWM'));

/** Bytes of all files below a folder. */
export const folderBytes = (folder) =>
  readdirSync(folder, {withFileTypes: true}).reduce((total, entry) => {
    const found = path.join(folder, entry.name);
    return total + (entry.isDirectory() ? folderBytes(found) : statSync(found, {throwIfNoEntry: false})?.size ?? 0);
  }, 0);
