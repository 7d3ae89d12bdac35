#!/usr/bin/env python3
"""image.py NAME:TAG OUT.tar FILE:/PATH...: makes an image for the tests from static programs, which containerd imports.

A program called busybox gets a link for each of its applets.
"""
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile


def entry(path: str, mode: int, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(path.lstrip("/"))
    info.mode, info.type, info.size, info.linkname = mode, kind, size, link
    return info


def layer(programs: list[str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            tar.addfile(entry(folder, 0o1777 if folder == "tmp" else 0o755, tarfile.DIRTYPE))
        names = {path for program in programs for path in program.split(":")[1:]}
        for program in programs:
            file, path = program.split(":")
            with open(file, "rb") as source:
                data = source.read()
            tar.addfile(entry(path, 0o755, size=len(data)), io.BytesIO(data))
            if os.path.basename(path) == "busybox":
                for applet in subprocess.check_output([file, "--list"], text=True).split():
                    if f"/bin/{applet}" not in names:
                        tar.addfile(entry(f"bin/{applet}", 0o777, tarfile.SYMTYPE, link=path))
    return buffer.getvalue()


def main() -> None:
    name, out, *programs = sys.argv[1:]
    data = layer(programs)
    config = json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        "os": "linux",
        "config": {"Entrypoint": [programs[0].split(":")[1]], "User": "65532:65532", "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]},
    }).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(out, "w") as tar:
        for path, content in (("config.json", config), ("layer.tar", data), ("manifest.json", manifest)):
            tar.addfile(entry(path, 0o644, size=len(content)), io.BytesIO(content))


if __name__ == "__main__":
    main()
