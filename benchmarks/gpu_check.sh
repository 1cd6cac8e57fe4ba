#!/usr/bin/env bash
# Checks training on one NVIDIA GPU in five to ten minutes, and measures it:  bash benchmarks/gpu_check.sh
# What it checks and how to read its lines: docs/cluster.md. TINY=1 DEVICE=cpu runs all of it, small, without a GPU.
# OUT: folder of results.jsonl and logs.  WORK: scratch folder, 1 GB.  PYTHON: the interpreter.  WHEELS: folder of wheels from
# which pydantic and cyclopts are installed under WORK where the interpreter lacks one of them.
set -u
export DEVICE=${DEVICE:-cuda} TINY=${TINY:-0} OUT=${OUT:-gpu_check} WORK=${WORK:-/tmp/gpu_check}
PYTHON=${PYTHON:-python}
mkdir -p "$OUT" "$WORK"
OUT=$(cd "$OUT" && pwd)
cd "$(dirname "$0")/.." || exit 1
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
if ! "$PYTHON" -c 'import pydantic, cyclopts' 2> /dev/null; then
  "$PYTHON" -m pip install --quiet --no-index --find-links "${WHEELS:?names no folder of wheels}" --target "$WORK/packages" \
    pydantic cyclopts || exit 1
  export PYTHONPATH=$PYTHONPATH:$WORK/packages
fi
rm -f "$OUT/results.jsonl"

# Each check has a limit in seconds and writes its own line, so that one that hangs or fails leaves the others theirs. A CPU
# gets more.
failed=0
while read -r check limit; do
  [ "$DEVICE" = cpu ] && limit=$((10 * limit))
  timeout "$limit" "$PYTHON" -m benchmarks.gpu_check "$check" > "$OUT/$check.log" 2>&1
  status=$?
  tail -n 1 "$OUT/$check.log"
  if [ $status -ne 0 ]; then
    echo "$check ended with status $status; see $OUT/$check.log"
    failed=1
  fi
done << 'CHECKS'
data 60
numerics 60
waits 30
one_session 60
small_batches 60
many_sessions 150
trainings 90
interruptions 90
evaluation 30
processes 60
crowd 90
CHECKS
exit $failed
