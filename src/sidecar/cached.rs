//! What an earlier run of ours left, where it counts.

use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use tokio::time::Instant;

use super::board::Board;
use super::standing::Good;
use crate::config::{Config, FileFormat, Target};

/// What an earlier run left counts, where the delivery says so and all of its targets are there.
pub(super) fn accept(group: &Config, board: &Board) {
    for delivery in group
        .deliveries
        .iter()
        .filter(|delivery| delivery.staleness.accept_cached)
    {
        let written: Option<Vec<SystemTime>> = delivery.to.iter().map(written).collect();
        let Some(oldest) = written.into_iter().flatten().min() else {
            continue;
        };
        let age = oldest.elapsed().unwrap_or_default();
        if let (Ok(at), Some(since)) =
            (Timestamp::try_from(oldest), Instant::now().checked_sub(age))
        {
            let good = Good {
                at,
                since,
                cached: true,
            };
            board.accept(&delivery.name, good);
            tracing::info!(
                delivery = delivery.name,
                age_s = age.as_secs(),
                "accepted as an earlier run left it"
            );
        }
    }
}

/// When a target was written, if it is there whole.
fn written(target: &Target) -> Option<SystemTime> {
    let of = |path: PathBuf| std::fs::metadata(path).ok();
    match target {
        Target::File(file) if file.format == (FileFormat::Dotenv { edit: true }) => None,
        Target::File(file) => of(file.path.clone())
            .filter(|seen| seen.len() > 0)?
            .modified()
            .ok(),
        Target::Files(files) => of(files.dir.join("..data"))?.modified().ok(),
        Target::Secret(_) => None,
    }
}
