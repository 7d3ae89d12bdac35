//! The Secrets that encrypted manifests describe, as far as they can be read without a key.

use std::path::Path;

use super::cluster::Described;
use crate::base::failure::Failure;
use crate::base::material::Node;
use crate::config::{Config, ManifestSet, Source};
use crate::disk::{read_by, read_document};
use crate::envelope::manifest;
use crate::format::document;
use crate::process::time_limit::TimeLimit;

/// The Secrets that the files of each set describe.
pub(super) async fn all(
    config: &Config,
    time_limit: TimeLimit,
) -> Result<Vec<Vec<Described>>, Failure> {
    let mut sets = Vec::new();
    for ManifestSet { files, .. } in &config.manifests {
        let mut described = Vec::new();
        for file in files.iter().filter_map(Source::file) {
            let bytes = read_by(read_document, file, "manifest", time_limit.of_disk()).await?;
            described.extend(of_file(file, bytes.expose())?);
        }
        sets.push(described);
    }
    Ok(sets)
}

fn of_file(file: &Path, bytes: &[u8]) -> Result<Vec<Described>, Failure> {
    let within = |failure: Failure| Failure {
        what: format!("{}: {}", file.display(), failure.what),
        ..failure
    };
    let documents = document::objects(bytes).map_err(|error| within(error.into()))?;
    let mut all = Vec::new();
    for document in documents {
        let objects = manifest::objects(document).map_err(|error| within(error.into()))?;
        all.extend(objects.iter().map(of_object));
    }
    Ok(all)
}

fn of_object(object: &Node) -> Described {
    let metadata = object.entry("metadata");
    let legible = |name: &str| {
        let text = metadata?.entry(name)?.leaf()?;
        let text = text.expose_str()?.to_owned();
        Some(text).filter(|text| !text.starts_with("ENC["))
    };
    Described {
        namespace: legible("namespace"),
        name: legible("name"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_far_as_they_are_in_clear() {
        let text = "kind: List\nitems:\n- metadata: {name: a, namespace: x}\n- metadata: {name: \
            b}\n---\nmetadata: {name: 'ENC[AES256_GCM,data:x]', namespace: other}\n";
        let described = of_file(Path::new("x.yaml"), text.as_bytes()).expect("documents");
        let one = |namespace: Option<&str>, name: Option<&str>| Described {
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        let want = [
            one(Some("x"), Some("a")),
            one(None, Some("b")),
            one(Some("other"), None),
        ];
        assert_eq!(described, want);
    }
}
