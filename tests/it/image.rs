//! `deploy/image.py` makes the image without Docker: the same bytes each time, what the Dockerfile
//! has in it and nothing else, an SBOM beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::run::{Output, Run};

const AMD64: u16 = 62;
const ARM64: u16 = 183;
/// A part of a program that is loaded, and the name of its loader.
const LOADED: u32 = 1;
const LOADER: u32 = 3;

/// The head of a program for Linux, with one part.
fn program(file: &Path, machine: u16, part: u32) -> PathBuf {
    let mut head = vec![0; 64 + 56];
    head[..6].copy_from_slice(b"\x7fELF\x02\x01");
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head[32] = 64;
    head[54] = 56;
    head[56] = 1;
    head[64..68].copy_from_slice(&part.to_le_bytes());
    fs::write(file, head).unwrap();
    file.to_owned()
}

fn assemble(work: &Path, binaries: &[&Path], out: &str) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/image.py");
    let authorities = work.join("ca.crt");
    fs::write(&authorities, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let binaries = binaries
        .iter()
        .flat_map(|path| [Path::new("--binary"), path]);
    Run::of("python3")
        .dir(work)
        .env("CARGO", env!("CARGO"))
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", std::env::var_os("HOME").unwrap_or_default())
        .args([&script])
        .args(["--ca", "ca.crt", "--revision", "abc", "--out", out])
        .args(binaries)
        .run()
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().fold("sha256:".to_owned(), |text, byte| {
        text + &format!("{byte:02x}")
    })
}

/// A blob by its descriptor, whose digest and size are those of its bytes.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let name = descriptor["digest"].as_str().unwrap();
    let path = layout.join("blobs").join(name.replace(':', "/"));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(digest(&bytes), name);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

fn document(layout: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(layout, descriptor)).unwrap()
}

/// Name, mode, owner and size of each entry.
fn listed(tar: &[u8]) -> Vec<String> {
    let output = Run::of("tar")
        .args(["--numeric-owner", "-tvf", "-"])
        .stdin(tar)
        .run()
        .expect(0);
    let lines = output.stdout.lines();
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .map(|words| format!("{} {} {}", words[0], words[1], words.last().unwrap()))
        .collect()
}

#[test]
fn an_image_is_the_same_bytes_each_time_and_holds_what_it_should() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = [&one, &two].map(|folder| {
        let amd = program(&folder.path().join("amd"), AMD64, LOADED);
        let arm = program(&folder.path().join("arm"), ARM64, LOADED);
        assemble(folder.path(), &[&arm, &amd], "image")
            .expect(0)
            .stdout
    });
    assert_eq!(made[0], made[1], "one digest");
    let tars = [&one, &two].map(|folder| fs::read(folder.path().join("image.tar")).unwrap());
    assert!(tars[0] == tars[1], "one tar");

    let layout = &one.path().join("image");
    let index = fs::read(layout.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    let [whole, boms @ ..] = index["manifests"].as_array().unwrap().as_slice() else {
        panic!("an image");
    };
    assert_eq!(whole["digest"], made[0].trim());
    let images = document(layout, whole)["manifests"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!((images.len(), boms.len()), (2, 2));
    for ((image, bom), arch) in images.iter().zip(boms).zip(["amd64", "arm64"]) {
        assert_eq!(
            image["platform"],
            json!({"architecture": arch, "os": "linux"})
        );
        let manifest = document(layout, image);
        let config = document(layout, &manifest["config"]);
        assert_eq!(config["architecture"], arch);
        assert_eq!(config["config"]["User"], "65532:65532");
        assert_eq!(config["config"]["Entrypoint"], json!(["/keyferry"]));
        let label =
            |name: &str| &config["config"]["Labels"][format!("org.opencontainers.image.{name}")];
        assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(label("revision"), "abc");
        let layer = blob(layout, &manifest["layers"][0]);
        assert_eq!(config["rootfs"]["diff_ids"], json!([digest(&layer)]));
        assert_eq!(
            listed(&layer),
            [
                "drwxr-xr-x 0/0 etc/",
                "drwxr-xr-x 0/0 etc/ssl/",
                "drwxr-xr-x 0/0 etc/ssl/certs/",
                "-r--r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
                "-rwxr-xr-x 0/0 keyferry"
            ]
        );
        // The SBOM says which image it is of, and what is linked into the binary.
        let attached = document(layout, bom);
        assert_eq!(attached["subject"]["digest"], image["digest"]);
        let bom = document(layout, &attached["layers"][0]);
        assert_eq!(bom["bomFormat"], "CycloneDX");
        let parts = bom["components"].as_array().unwrap();
        let part = |name: &str| parts.iter().find(|part| part["name"] == name);
        let rustls = part("rustls").expect("a part of the binary");
        assert!(
            rustls["hashes"][0]["content"]
                .as_str()
                .is_some_and(|sum| sum.len() == 64)
        );
        assert!(rustls["licenses"][0]["expression"].is_string());
        assert_eq!(part("rops"), None, "only tests have it");
    }
}

#[test]
fn what_cannot_be_an_image_says_how_to_make_one() {
    let folder = tempfile::tempdir().unwrap();
    let loader = program(&folder.path().join("loader"), AMD64, LOADER);
    let text = folder.path().join("text");
    fs::write(&text, "#!/bin/sh\n").unwrap();
    let other = program(&folder.path().join("other"), 243, LOADED);
    let amd = program(&folder.path().join("amd"), AMD64, LOADED);
    let absent = folder.path().join("absent");
    let dynamic = Path::new(env!("CARGO_BIN_EXE_keyferry"));
    for (binaries, why) in [
        (&[loader.as_path()][..], "is not static"),
        (&[dynamic], "is not static"),
        (&[&text], "no program for Linux"),
        (&[&absent], "No such file"),
        (&[&other], "neither amd64 nor arm64"),
        (&[&amd, &amd], "the second binary for amd64"),
    ] {
        let output = assemble(folder.path(), binaries, "image");
        assert_ne!(output.code, 0, "{why}");
        assert!(output.stderr.contains(why), "{why}: {}", output.stderr);
        assert!(!folder.path().join("image").exists(), "{why}");
    }
    let output = assemble(folder.path(), &[&loader], "image");
    assert!(
        output.stderr.contains("deploy/build makes a static one"),
        "{}",
        output.stderr
    );
}

/// Files under a folder, however deep.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn every_manifest_names_the_image_of_this_version() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let want = format!("image: keyferry:{}", env!("CARGO_PKG_VERSION"));
    let mut named = 0;
    for file in files(&root.join("kustomize")) {
        let text = fs::read_to_string(&file).unwrap();
        for line in text
            .lines()
            .filter(|line| line.contains("image: keyferry:"))
        {
            assert_eq!(line.trim(), want, "{}", file.display());
            named += 1;
        }
    }
    assert_eq!(named, 5, "job, cronjob, init, sidecar, reflector");
    let tag = format!("newTag: {}", env!("CARGO_PKG_VERSION"));
    for kit in ["argocd-job/base", "cronjob", "init", "sidecar", "reflector"] {
        let text = fs::read_to_string(root.join(kit).join("kustomization.yaml")).unwrap();
        assert!(text.contains(&tag), "{kit}");
    }
}

/// As a stranger does: from the same binary twice, in two folders.
#[test]
fn an_archive_carries_completions_and_the_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/archive");
    let made = ["a", "b"].map(|name| {
        let out = folder.path().join(name).join("keyferry.tar.gz");
        let run = Run::of(&script).args([Path::new(env!("CARGO_BIN_EXE_keyferry")), &out]);
        run.env("PATH", "/usr/bin:/bin").run().expect(0);
        fs::read(out).unwrap()
    });
    assert!(made[0] == made[1], "one archive");
    let path = folder.path().join("a/keyferry.tar.gz");
    let output = Run::of("tar")
        .env("PATH", "/usr/bin:/bin")
        .args(["-tzf"])
        .args([path])
        .run();
    let names = output.expect(0).stdout;
    for file in [
        "keyferry",
        "keyferry.1",
        "LICENSE",
        "completions/keyferry.zsh",
    ] {
        assert!(
            names.lines().any(|line| line == format!("keyferry/{file}")),
            "{file}: {names}"
        );
    }
}
