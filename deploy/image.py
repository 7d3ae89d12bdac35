#!/usr/bin/env python3
"""Makes an image of the static binary, without Docker and without a network.

    deploy/image.py --binary "$(deploy/build)" --out image

gives the OCI layout `image/` and the same as `image.tar`, for `ctr images import`, `podman load`, `docker load`, or
`skopeo copy oci:image docker://REGISTRY/keyferry:TAG`. `--binary` twice (amd64 and arm64) gives one image for both.
In it are the binary and the certificates of public authorities, nothing else; it runs as 65532:65532. An SBOM
(CycloneDX, from Cargo.lock) is attached to each image, and is `image-ARCH.cdx.json` too. The same input gives the same digest: no time, no name of this
machine, and no compression, whose result depends on a library's version, goes into it.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MACHINES = {62: "amd64", 183: "arm64"}
TARGETS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
USER = "65532:65532"
OCI = "application/vnd.oci"
SBOM = "application/vnd.cyclonedx+json"
HOW = "deploy/build makes a static one and prints where it is"


def architecture(path, data):
    """Of a static ELF binary; anything else ends here."""
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{path} is no program for Linux of 64 bits: {HOW}")
    (machine,) = struct.unpack_from("<H", data, 18)
    (offset,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    kinds = [struct.unpack_from("<I", data, offset + size * at)[0] for at in range(count)]
    if 3 in kinds:  # PT_INTERP
        sys.exit(f"{path} is not static, and the image has no libraries: {HOW}")
    if machine not in MACHINES:
        sys.exit(f"{path} is for a machine that is neither amd64 nor arm64")
    return MACHINES[machine]


def tar(entries):
    """Of (path, mode, content), and of the folders above, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        made = set()
        for path, mode, data in entries:
            for parent in reversed(Path(path).parents[:-1]):
                if parent not in made:
                    made.add(parent)
                    folder = tarfile.TarInfo(f"{parent}/")
                    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(folder)
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def text(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """An OCI layout in memory: blobs by digest."""

    def __init__(self):
        self.blobs = {}

    def add(self, media, data, **more):
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(data), **more}

    def files(self, index):
        yield "oci-layout", text({"imageLayoutVersion": "1.0.0"})
        yield "index.json", text(index)
        for digest, data in sorted(self.blobs.items()):
            yield f"blobs/sha256/{digest}", data


def sbom(arch):
    """What goes into the binary: the crates that it is linked of, without those of tests and of building."""
    cargo = [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1"]
    if os.environ.get("CARGO_NET_OFFLINE") == "true":
        cargo.append("--offline")
    cargo += ["--filter-platform", TARGETS[arch]]
    told = json.loads(subprocess.run(cargo, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    sums = {(one["name"], one["version"]): one.get("checksum") for one in lock}
    packages = {one["id"]: one for one in told["packages"]}
    linked = {
        node["id"]: sorted(
            dep["pkg"] for dep in node["deps"] if any(kind["kind"] is None for kind in dep["dep_kinds"])
        )
        for node in told["resolve"]["nodes"]
    }
    found, open_ = set(), [told["resolve"]["root"]]
    while open_:
        at = open_.pop()
        if at not in found:
            found.add(at)
            open_ += linked[at]

    def component(one, kind):
        name, version = one["name"], one["version"]
        purl = f"pkg:cargo/{name}@{version}"
        made = {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}
        if one["license"]:
            made["licenses"] = [{"expression": one["license"].replace("/", " OR ")}]
        if sums.get((name, version)):
            made["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
        return made

    def ref(at):
        return f"pkg:cargo/{packages[at]['name']}@{packages[at]['version']}"

    root = told["resolve"]["root"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(packages[root], "application")},
        "components": sorted((component(packages[at], "library") for at in found - {root}), key=lambda one: one["purl"]),
        "dependencies": sorted(({"ref": ref(at), "dependsOn": sorted(map(ref, linked[at]))} for at in found), key=lambda one: one["ref"]),
    }


def image(layout, package, arch, data, authorities, revision):
    layer = tar([("etc/ssl/certs/ca-certificates.crt", 0o444, authorities), ("keyferry", 0o755, data)])
    labels = {
        "org.opencontainers.image.title": package["name"],
        "org.opencontainers.image.description": package["description"],
        "org.opencontainers.image.version": package["version"],
        "org.opencontainers.image.licenses": package["license"],
    }
    if revision:
        labels["org.opencontainers.image.revision"] = revision
    config = {
        "architecture": arch,
        "os": "linux",
        "config": {"User": USER, "Entrypoint": ["/keyferry"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.image.manifest.v1+json",
        "config": layout.add(f"{OCI}.image.config.v1+json", text(config)),
        "layers": [layout.add(f"{OCI}.image.layer.v1.tar", layer)],
        "annotations": labels,
    }
    platform = {"architecture": arch, "os": "linux"}
    return layout.add(manifest["mediaType"], text(manifest), platform=platform)


def attached(layout, subject, bom):
    """A manifest that says of the image: this is its SBOM."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.image.manifest.v1+json",
        "artifactType": SBOM,
        "config": layout.add(f"{OCI}.empty.v1+json", b"{}"),
        "layers": [layout.add(SBOM, text(bom), annotations={"org.opencontainers.image.title": "keyferry.cdx.json"})],
        "subject": {key: subject[key] for key in ("mediaType", "digest", "size")},
    }
    return layout.add(manifest["mediaType"], text(manifest), artifactType=SBOM)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", action="append", required=True, type=Path, help="static; one for each architecture")
    parser.add_argument("--out", required=True, type=Path, help="folder of the layout; the tar is beside it")
    parser.add_argument("--ca", type=Path, default=Path("/etc/ssl/certs/ca-certificates.crt"), help="public authorities")
    parser.add_argument("--revision", default="", help="the commit, for a label")
    given = parser.parse_args()

    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    try:
        binaries = [(path, path.read_bytes()) for path in given.binary]
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}: {HOW}")
    try:
        authorities = given.ca.read_bytes()
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}: install ca-certificates, or name another file with --ca")
    if b"BEGIN CERTIFICATE" not in authorities:
        sys.exit(f"{given.ca} holds no certificate in PEM")
    by_arch = {}
    for path, data in binaries:
        arch = architecture(path, data)
        if arch in by_arch:
            sys.exit(f"{path} is the second binary for {arch}")
        by_arch[arch] = data

    layout, images, boms, written = Layout(), [], [], {}
    for arch, data in sorted(by_arch.items()):
        one = image(layout, package, arch, data, authorities, given.revision)
        images.append(one)
        bom = sbom(arch)
        boms.append(attached(layout, one, bom))
        written[f"-{arch}.cdx.json"] = text(bom)
    if len(images) == 1:
        whole = dict(images[0])
    else:
        media = f"{OCI}.image.index.v1+json"
        whole = layout.add(media, text({"schemaVersion": 2, "mediaType": media, "manifests": images}))
    whole["annotations"] = {"org.opencontainers.image.ref.name": package["version"], "io.containerd.image.name": f"docker.io/library/keyferry:{package['version']}"}
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.image.index.v1+json", "manifests": [whole, *boms]}

    shutil.rmtree(given.out, ignore_errors=True)
    files = list(layout.files(index))
    for name, data in files:
        path = given.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    written[".tar"] = tar((name, 0o644, data) for name, data in files)
    for ending, data in written.items():
        given.out.with_name(given.out.name + ending).write_bytes(data)
    print(whole["digest"])


if __name__ == "__main__":
    main()
