# Sourced by ./test and ./kvil, with $root set to the folder of the repository. Needs the .NET 10 SDK only.
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE=1
command -v dotnet > /dev/null || { echo "dotnet (the .NET 10 SDK) is not on the PATH." >&2; exit 1; }
mkdir -p "$root/obj"

# Sets gpu to true when the package ILGPU can be had, else to false. The answer of a restore is remembered in
# obj/ilgpu; remove obj/ or set KVIL_GPU=retry to ask again.
decide_gpu() {
  local answer="$root/obj/ilgpu" limit
  [ "${KVIL_GPU:-}" != retry ] || rm -f "$answer"
  if [ -d "${NUGET_PACKAGES:-${HOME:-}/.nuget/packages}/ilgpu/1.5.3" ]; then
    gpu=true
    return
  fi
  if [ ! -f "$answer" ]; then
    limit=$(command -v timeout || true)
    if ${limit:+"$limit" 60} dotnet restore "$root/Gpu" -p:KvILGpu=true > "$root/obj/restore.log" 2>&1; then
      echo true > "$answer"
    else
      echo false > "$answer"
    fi
  fi
  gpu=$(cat "$answer")
}

say_when_without_gpu() {
  [ "$gpu" = true ] ||
    echo "ILGPU 1.5.3 is not on this machine's package feed: building without the GPU backend." >&2
}

# The files outside of bin, obj and dot folders that meet the given conditions of find, or all of them.
sources() {
  (cd "$root" && find . -type d \( -name bin -o -name obj -o -name '.?*' \) -prune -o -type f "$@" -print)
}

# What a build depends on: the answer about ILGPU, and which files there are.
inputs() {
  echo "gpu $gpu"
  sources | LC_ALL=C sort
}

# fresh PROJECT DLL: whether nothing changed since the last build: the inputs are the same, and none is newer than
# the list of them that build wrote when it began.
fresh() {
  local list="$root/obj/$1.inputs"
  [ -f "$2" ] && [ -f "$list" ] && inputs | cmp -s - "$list" && [ -z "$(sources -newer "$list")" ]
}

# build PROJECT: a Release build; its output is shown only when it fails. The restore that it begins with sees to
# it that a changed answer about ILGPU takes effect.
build() {
  local list="$root/obj/$1.inputs" log="$root/obj/$1.log"
  inputs > "$list.new"
  if ! dotnet build "$root/$1" -c Release "-p:KvILGpu=$gpu" \
    -v quiet -clp:NoSummary -tl:off -nodeReuse:false > "$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  mv "$list.new" "$list"
}
