//! The same work by two contenders in turns, and its floor: what the work costs without either.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::launcher::{Contender, Sample};
use crate::say;
use crate::spread::Spread;
use crate::table::{Line, Row, Target};

/// Runs before the first that counts: caches of the disk, the server and the kernel are warm then.
const WARM_UP: usize = 3;

/// Two ways to do one piece of work.
pub(crate) struct Contest<'a> {
    /// What is done, for the table.
    pub(crate) work: &'a str,
    /// Where both run.
    pub(crate) folder: &'a Path,
    /// keyferry.
    pub(crate) ours: Contender,
    /// What one would use instead.
    pub(crate) peer: Contender,
    /// Undoes the work, so that each run does all of it.
    pub(crate) undo: &'a dyn Fn(),
    /// Panics unless the work is done, and done alike by both.
    pub(crate) check: &'a dyn Fn(),
    /// What nobody can be faster than: its name and the work.
    pub(crate) floor: Option<(&'a str, &'a dyn Fn())>,
    /// Our wall time is at most one in this many of the peer's.
    pub(crate) wall_target: f64,
    /// The same for peak memory.
    pub(crate) memory_target: f64,
}

impl Contest<'_> {
    /// Ours, peer, floor, ours, peer, floor, …
    pub(crate) fn row(&self, rounds: usize) -> Row {
        let (mut ours, mut peer, mut floor) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..WARM_UP + rounds {
            let samples = (self.once(&self.ours), self.once(&self.peer), self.floor());
            if round >= WARM_UP {
                ours.push(samples.0);
                peer.push(samples.1);
                floor.extend(samples.2);
            }
        }
        say(&format!(
            "{}: {rounds} rounds of {} and {}",
            self.work, self.ours.name, self.peer.name
        ));
        self.judge(&ours, &peer, &floor)
    }

    fn once(&self, contender: &Contender) -> Sample {
        (self.undo)();
        let sample = contender.sample(self.folder);
        (self.check)();
        sample
    }

    fn floor(&self) -> Option<Duration> {
        let (_, work) = self.floor?;
        let start = Instant::now();
        work();
        Some(start.elapsed())
    }

    fn judge(&self, ours: &[Sample], peer: &[Sample], floor: &[Duration]) -> Row {
        let lines = [(&self.ours, ours), (&self.peer, peer)].map(|(contender, samples)| Line {
            tool: contender.name.clone(),
            wall: Spread::of(samples.iter().map(|sample| sample.wall)),
            peak: Some(Spread::of(samples.iter().map(|sample| sample.peak))),
        });
        let [mine, theirs] = &lines;
        let peaks = mine.peak.zip(theirs.peak).expect("both were measured");
        let targets = vec![
            Target::at_most(
                "wall",
                theirs.wall.median.as_secs_f64() / mine.wall.median.as_secs_f64(),
                self.wall_target,
            ),
            Target::at_most(
                "memory",
                float(peaks.1.median) / float(peaks.0.median),
                self.memory_target,
            ),
        ];
        let bottom = self
            .floor
            .filter(|_| !floor.is_empty())
            .map(|(name, _)| Line {
                tool: name.to_owned(),
                wall: Spread::of(floor.iter().copied()),
                peak: None,
            });
        Row {
            work: self.work.to_owned(),
            lines: lines.into_iter().chain(bottom).collect(),
            targets,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes of memory are far below 2^52"
)]
fn float(bytes: u64) -> f64 {
    bytes as f64
}
