//! The rights in Vault's transit engine that the SOPS files of a configuration need. Their metadata
//! is read without any key.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::failure::Failure;
use crate::config::{Config, Source};
use crate::disk::{read_by, read_document};
use crate::envelope::sops::Locked;
use crate::format::document::DocumentFormat;
use crate::pass::source::transit::request;
use crate::process::time_limit::TimeLimit;
use crate::vault::rights::{Need, PathRight, of_read};

/// How long reading the files may take.
pub(super) const READING: Duration = Duration::from_secs(20);

/// The result of reading the files.
#[derive(Debug, Default)]
pub struct OfFiles {
    /// The rights, each with the name of its server.
    pub rights: Vec<(String, PathRight)>,
    /// Messages about files that could not be read.
    pub unread: Vec<String>,
}

/// The rights for the files that exist here.
pub async fn of_files(config: &Config) -> OfFiles {
    let time_limit = TimeLimit::Until(Instant::now() + READING);
    let mut found = OfFiles::default();
    if config.vaults.is_empty() {
        return found;
    }
    for (_, source) in config.sources() {
        let Source::Sops { file, format, .. } = source else {
            continue;
        };
        match of_file(file, *format, config, time_limit).await {
            Ok(rights) => found.rights.extend(rights),
            Err(failure) => found.unread.push(format!(
                "{} is left out with what it may need of a transit engine: {}",
                file.display(),
                failure.what
            )),
        }
    }
    found
}

async fn of_file(
    file: &Path,
    format: DocumentFormat,
    config: &Config,
    time_limit: TimeLimit,
) -> Result<Vec<(String, PathRight)>, Failure> {
    let bytes = read_by(read_document, file, "SOPS file", time_limit.of_disk()).await?;
    let transit = Locked::read(bytes.expose(), format)?.transit()?;
    let beside_age = transit.beside_age && !config.keys.age.is_empty();
    let mut all = Vec::new();
    for request in transit.keys.iter().filter_map(|key| request(config, key)) {
        let request = request?;
        for right in of_read(&request, false)? {
            let need = match beside_age {
                true => Need::BesideAge,
                false => right.need,
            };
            all.push((request.server.clone(), PathRight { need, ..right }));
        }
    }
    Ok(all)
}
