//! Manifests: which files a pattern finds, and what is refused before anything is opened.

use std::io;
use std::path::{Path, PathBuf};

use super::super::environment::Outside;
use super::super::load::load;
use super::super::{Config, Source};
use super::line;
use crate::format::document::DocumentFormat;

/// The result of loading a configuration beside a folder `c/s` with these files.
fn loaded(set: &str, files: &[&str]) -> Result<Config, String> {
    loaded_from("c/k.yaml", "c/s", set, files)
}

fn loaded_from(file: &str, folder: &str, set: &str, files: &[&str]) -> Result<Config, String> {
    let text = format!("manifests:\n  - {set}\nname: t\n");
    let read = |path: &Path| match path == Path::new(file) {
        true => Ok(text.clone()),
        false => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let list = |path: &Path| {
        if path == Path::new("c/closed") {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let entries = files.iter().map(|name| path.join(name)).collect();
        Ok((path == Path::new(folder)).then_some(entries))
    };
    let outside = Outside {
        env: &|_| None,
        read: &read,
        list: &list,
        root: None,
    };
    load(&[PathBuf::from(file)], &outside).map_err(|problems| line(&problems))
}

#[test]
fn a_pattern_finds_files_of_its_folder() {
    let files = ["a.enc.yaml", "b.enc.json", "c.enc.yaml", "plain.yaml"];
    let found = |set: &str| -> Vec<Source> {
        let config = loaded(set, &files).expect(set);
        config.sources().map(|(_, source)| source.clone()).collect()
    };
    let sops = |name: &str, format| Source::Sops {
        file: Path::new("c/s").join(name),
        format,
        allow_unauthenticated: false,
        commit: None,
    };
    assert_eq!(
        found("{sops: 's/*.enc.yaml'}"),
        [
            sops("a.enc.yaml", DocumentFormat::Yaml),
            sops("c.enc.yaml", DocumentFormat::Yaml)
        ]
    );
    assert_eq!(
        found("{sops: s/b.enc.json}"),
        [sops("b.enc.json", DocumentFormat::Json)]
    );
    let file = PathBuf::from("c/s/plain.yaml");
    assert_eq!(
        found("{sealed: 's/p*.yaml'}"),
        [Source::SealedManifests { file }]
    );
    let config = loaded_from("k.yaml", ".", "{sealed: 'p*.yaml'}", &files).expect("good");
    let (_, source) = config.sources().next().expect("one");
    let file = PathBuf::from("plain.yaml");
    assert_eq!(*source, Source::SealedManifests { file });
    let config = loaded("{name: web, sops: 's/*.json', prune: true}", &files).expect("good");
    let labels: Vec<String> = config.sources().map(|(label, _)| label).collect();
    assert_eq!(labels, ["manifests web: b.enc.json"]);
    assert_eq!(config.manifests[0].pruned(), Some("web"));
}

#[test]
fn what_could_prune_by_mistake_is_refused_before_anything_is_opened() {
    let long = format!("{{name: {}, sops: 's/*.yaml'}}", "a".repeat(64));
    for (set, want) in [
        (
            "{sops: 's/*.yml'}",
            "c/k.yaml:2:12: no file is called c/s/*.yml",
        ),
        (
            "{sops: 'none/*.yaml'}",
            "c/k.yaml:2:12: no file is called c/none/*.yaml",
        ),
        (
            "{sops: 'closed/*.yaml'}",
            "c/k.yaml:2:12: folder c/closed cannot be read",
        ),
        (
            "{sops: 's*/a.yaml'}",
            "c/k.yaml:2:12: `*` may stand in a file's name only",
        ),
        (
            "{sops: 's/*.yaml', prune: true}",
            "c/k.yaml:2:5: `prune` needs a `name`",
        ),
        (long.as_str(), "c/k.yaml:2:12: `aaaa"),
        (
            "{name: Web, sops: 's/*.yaml'}",
            "c/k.yaml:2:12: the name of the manifests `Web` is no Kubernetes name",
        ),
        (
            "{prune: false}",
            "c/k.yaml:2:5: `manifests` needs exactly one of sops, sealed",
        ),
        (
            "{sops: 's/*.yaml', sealed: x}",
            "c/k.yaml:2:5: `manifests` needs exactly one of sops, sealed",
        ),
        (
            "{sops: 's/*.yaml', namespaces: ['team-*']}",
            "c/k.yaml:2:37: `team-*` is no name of a namespace",
        ),
        (
            "{sealed: 's/*.yaml', allowUnauthenticated: true}",
            "c/k.yaml:2:5: `allowUnauthenticated` is of use only beside `sops`",
        ),
        (
            "{sops: 's/*.yaml', prun: true}",
            "c/k.yaml:2:24: unknown key `prun`; did you mean `prune`?",
        ),
        (
            "{name: a, sops: 's/*.yaml'}\n  - {name: a, sealed: 's/*.yaml'}",
            "c/k.yaml:3:5: a set of manifests `a` is declared twice",
        ),
    ] {
        let said = loaded(set, &["a.yaml"]).expect_err(set);
        assert!(
            said.starts_with(want),
            "{set}\n  expected {want}\n  got      {said}"
        );
    }
}
