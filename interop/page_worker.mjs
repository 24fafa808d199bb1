// A worker that runs what it is sent of Python, with weft, and answers what the last line is.
import {loadPyodide} from './pyodide/pyodide.mjs';

const load = async () => {
  const python = await loadPyodide();
  const archive = await (await fetch('weft.zip')).arrayBuffer();
  python.unpackArchive(archive, 'zip', {extractDir: '/lib/python3.14/site-packages'});
  return python;
};
const loading = load();
onmessage = async ({data: {source, args}}) => {
  try {
    const python = await loading;
    postMessage({ok: await python.runPythonAsync(source, {globals: python.toPy(args)})});
  } catch (error) {
    postMessage({error: String(error)});
  }
};
