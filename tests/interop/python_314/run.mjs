// node run.mjs PYODIDE SRC FOLDER SCRIPT: run a script of ours on Pyodide's Python.
const [pyodide, src, folder, script] = process.argv.slice(2);
const { loadPyodide } = await import(`${pyodide}/pyodide.mjs`);
const python = await loadPyodide();
for (const [name, root] of [["/src", src], ["/scripts", folder]]) {
  python.FS.mkdirTree(name);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, name);
}
python.runPython(`
import runpy, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/src")
runpy.run_path("/scripts/${script}", run_name="__main__")
`);
