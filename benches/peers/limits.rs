//! What many copies would take, computed: one write after another through the seats of the API
//! server's priority level, its processors and the store, with figures that `scale` measured.
//! Nothing is run, so it is asked for by name: `cargo bench -- limits`.
//!
//! A writer takes a seat, then a processor for the work of one write, then the store's turn; the
//! seat is free when the watchers of the object have been told. Facts of Kubernetes: 600 seats in
//! all of which a service account's level has 100 of 245 shares, and nine tenths of these may be
//! lent to others; from ten watchers on, each ten hold a seat for 5 ms; history is kept for ten
//! minutes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::time::Duration;

use crate::field::count;
use crate::spread::Spread;
use crate::table::{Line, Row};

/// As measured by `scale`: see docs/scale.md.
const MEASURED: Figures = Figures {
    write: Duration::from_micros(2100),
    stored: 1400,
    remembered: 460,
    cached: 15_700,
};

/// etcd's own, unless it is told otherwise.
const QUOTA: u64 = 2 << 30;

/// Old revisions stay for one compaction and up to one more.
const HISTORY: Duration = Duration::from_secs(600);

/// The memory of a reflector that knows of nothing.
const EMPTY: u64 = 12 << 20;

struct Figures {
    /// Work of one write on the machine of the measurement, its share of two processors and of a
    /// store that never waited for a disk.
    write: Duration,
    /// Bytes of one copy in the store.
    stored: u64,
    /// Bytes of one copy in the reflector.
    remembered: u64,
    /// Bytes of one copy in the memory of the API server.
    cached: u64,
}

/// What is simulated.
struct Case {
    copies: usize,
    /// Reflectors, each with `parallel` writes at once.
    reflectors: usize,
    parallel: usize,
    /// Of the API server, each as good as the whole machine of the measurement.
    processors: usize,
    /// Of the priority level, as far as nobody borrows them.
    seats: usize,
    watchers: usize,
    /// Writes that the store takes each second.
    store: u64,
}

/// One reflector on the machine that was measured, with a store that writes through to a disk.
const USUAL: Case = Case {
    copies: 1_000_000,
    reflectors: 1,
    parallel: 16,
    processors: 1,
    seats: 245,
    watchers: 5,
    store: 2000,
};

/// The rows of docs/scale.md.
pub(crate) fn row(_keyferry: &Path, _rounds: usize) -> Row {
    let cases = [
        Case {
            copies: 100_000,
            ..USUAL
        },
        USUAL,
        Case {
            processors: 4,
            ..USUAL
        },
        Case {
            processors: 4,
            store: 200,
            ..USUAL
        },
        Case {
            processors: 4,
            seats: 24,
            ..USUAL
        },
        Case {
            processors: 4,
            seats: 24,
            watchers: 100,
            ..USUAL
        },
        Case {
            processors: 4,
            reflectors: 4,
            ..USUAL
        },
        Case {
            processors: 16,
            reflectors: 4,
            ..USUAL
        },
    ];
    Row {
        work: "computed, not measured".to_owned(),
        lines: cases.iter().map(line).collect(),
        targets: Vec::new(),
    }
}

fn line(case: &Case) -> Line {
    let Case {
        copies,
        reflectors,
        parallel,
        processors,
        seats,
        watchers,
        store,
    } = case;
    let time = case.time();
    let first = count(*copies) * MEASURED.stored;
    let rate = per_second(*copies, time);
    let old = (rate * HISTORY.as_secs()).min(count(*copies)) * MEASURED.stored;
    let tool = format!(
        "{copies} copies, {reflectors} × {parallel} at once, {processors} × the measured machine, {seats} seats, {watchers} watchers, {store} store writes a second: \
         {rate} copies a second; store {}, {} while all change; {} MB in the API server",
        quota(first),
        quota(first + old),
        count(*copies) * MEASURED.cached / 1_000_000,
    );
    let memory = EMPTY + count(*copies) / count(*reflectors) * MEASURED.remembered;
    Line {
        tool,
        wall: Spread::of(std::iter::once(time)),
        peak: Some(Spread::of(std::iter::once(memory))),
    }
}

fn per_second(copies: usize, time: Duration) -> u64 {
    count(copies) * 1_000_000 / u64::try_from(time.as_micros().max(1)).unwrap_or(u64::MAX)
}

fn quota(bytes: u64) -> String {
    format!(
        "{} MB ({} % of the quota)",
        bytes / 1_000_000,
        bytes * 100 / QUOTA
    )
}

impl Case {
    /// From the first write to the last.
    fn time(&self) -> Duration {
        let free = |places: usize| {
            (0..places)
                .map(|_| Reverse(Duration::ZERO))
                .collect::<BinaryHeap<_>>()
        };
        let (mut writers, mut seats) = (free(self.reflectors * self.parallel), free(self.seats));
        let mut processors = free(self.processors);
        let mut store = Duration::ZERO;
        let turn = Duration::from_secs(1) / u32::try_from(self.store).unwrap_or(u32::MAX);
        let mut last = Duration::ZERO;
        for _ in 0..self.copies {
            let next =
                |places: &mut BinaryHeap<_>| places.pop().map_or(Duration::ZERO, |Reverse(at)| at);
            let ready = next(&mut writers).max(next(&mut seats));
            let done = ready.max(next(&mut processors)) + MEASURED.write;
            processors.push(Reverse(done));
            store = store.max(done) + turn;
            writers.push(Reverse(store));
            seats.push(Reverse(store + self.telling()));
            last = last.max(store);
        }
        last
    }

    /// How long the watchers hold the seat of a write, as that many seats at once would.
    fn telling(&self) -> Duration {
        let tens = u32::try_from(self.watchers.div_ceil(10)).unwrap_or(u32::MAX);
        if self.watchers < 10 {
            Duration::ZERO
        } else {
            Duration::from_millis(5) * tens
        }
    }
}
