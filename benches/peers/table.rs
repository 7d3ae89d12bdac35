//! What was measured, as a Markdown table for the README and as verdicts on the targets.

use std::fmt;
use std::time::Duration;

use crate::spread::Spread;

/// One piece of work.
pub(crate) struct Row {
    /// What is done.
    pub(crate) work: String,
    /// Who did it, ours first.
    pub(crate) lines: Vec<Line>,
    /// What was promised of it.
    pub(crate) targets: Vec<Target>,
}

/// One who did it.
pub(crate) struct Line {
    /// Its name.
    pub(crate) tool: String,
    /// How long it took.
    pub(crate) wall: Spread<Duration>,
    /// The most memory it held, when it is a process.
    pub(crate) peak: Option<Spread<u64>>,
}

/// A promise, and what came of it.
pub(crate) enum Target {
    /// A part of the peer's: `of = 6` is "at most one sixth".
    Part {
        what: &'static str,
        of: f64,
        seen: f64,
    },
    /// A number of times the floor.
    Times {
        what: &'static str,
        most: f64,
        seen: f64,
    },
    /// A time.
    Seconds {
        what: &'static str,
        most: Duration,
        seen: Duration,
    },
    /// Any other number.
    Number {
        what: &'static str,
        most: f64,
        seen: f64,
    },
    /// A number of bytes.
    Bytes {
        what: &'static str,
        most: u64,
        seen: u64,
    },
}

impl Target {
    /// At most `1/of`, when `1/seen` was measured.
    pub(crate) fn at_most(what: &'static str, seen: f64, of: f64) -> Self {
        Self::Part { what, of, seen }
    }

    /// At most so many times the floor.
    pub(crate) fn times(what: &'static str, seen: f64, most: f64) -> Self {
        Self::Times { what, most, seen }
    }

    /// At most so long.
    pub(crate) fn seconds(what: &'static str, seen: Duration, most: Duration) -> Self {
        Self::Seconds { what, most, seen }
    }

    /// At most this.
    pub(crate) fn number(what: &'static str, seen: f64, most: f64) -> Self {
        Self::Number { what, most, seen }
    }

    /// Whether the promise is kept.
    pub(crate) fn met(&self) -> bool {
        match self {
            Self::Part { of, seen, .. } => seen >= of,
            Self::Times { most, seen, .. } | Self::Number { most, seen, .. } => seen <= most,
            Self::Seconds { most, seen, .. } => seen <= most,
            Self::Bytes { most, seen, .. } => seen <= most,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part { what, of, seen } => write!(f, "{what} 1/{seen:.1} of it (target 1/{of})")?,
            Self::Times { what, most, seen } => {
                write!(f, "{what} {seen:.1} × the floor (target {most})")?;
            }
            Self::Number { what, most, seen } => write!(f, "{what} {seen:.2} (target {most})")?,
            Self::Seconds { what, most, seen } => {
                write!(
                    f,
                    "{what} {} (target {})",
                    milliseconds(*seen),
                    milliseconds(*most)
                )?;
            }
            Self::Bytes { what, most, seen } => {
                write!(
                    f,
                    "{what} {} (target {})",
                    megabytes(*seen),
                    megabytes(*most)
                )?;
            }
        }
        f.write_str(if self.met() { "" } else { " **MISSED**" })
    }
}

/// The whole table.
pub(crate) fn markdown(rows: &[Row], rounds: usize) -> String {
    let mut text = format!(
        "| work | tool | wall: median (min – max of {rounds}) | peak memory: median | beside the \
         peer |\n|---|---|---|---|---|\n"
    );
    for Row {
        work,
        lines,
        targets,
    } in rows
    {
        let verdict = targets
            .iter()
            .map(Target::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        if lines.is_empty() {
            text += &format!("| {work} | | | | {verdict} |\n");
        }
        for (index, Line { tool, wall, peak }) in lines.iter().enumerate() {
            let (work, verdict) = if index == 0 {
                (work.as_str(), verdict.as_str())
            } else {
                ("", "")
            };
            let Spread { median, min, max } = wall;
            let wall = format!(
                "{} ({} – {})",
                milliseconds(*median),
                milliseconds(*min),
                milliseconds(*max)
            );
            let peak = peak.map(|peak| mebibytes(peak.median)).unwrap_or_default();
            text += &format!("| {work} | {tool} | {wall} | {peak} | {verdict} |\n");
        }
    }
    text
}

fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1000.0;
    if value < 100.0 {
        format!("{value:.1} ms")
    } else {
        format!("{value:.0} ms")
    }
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn megabytes(bytes: u64) -> String {
    let hundredths = bytes / 10_000;
    format!("{}.{:02} MB", hundredths / 100, hundredths % 100)
}
