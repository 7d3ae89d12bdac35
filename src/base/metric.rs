//! Numbers with names, for `/metrics` and for a collector.

/// Whether a number only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A documented metric, with the way to read its values.
#[derive(Debug)]
pub struct Metric<Read> {
    /// Its name.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// What the number means.
    pub meaning: &'static str,
    /// How its values are read.
    pub read: Read,
}

/// The labels of a number, and the number.
pub type Value = (Vec<(&'static str, String)>, f64);

/// A metric with its current values.
#[derive(Debug)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// Whether it only grows.
    pub kind: MetricKind,
    /// What the number means.
    pub meaning: &'static str,
    /// Its numbers.
    pub values: Vec<Value>,
}

/// A metric that grows.
pub const fn counter<Read>(name: &'static str, meaning: &'static str, read: Read) -> Metric<Read> {
    Metric {
        name,
        kind: MetricKind::Counter,
        meaning,
        read,
    }
}

/// A metric that goes up and down.
pub const fn gauge<Read>(name: &'static str, meaning: &'static str, read: Read) -> Metric<Read> {
    Metric {
        name,
        kind: MetricKind::Gauge,
        meaning,
        read,
    }
}

impl<Read> Metric<Read> {
    /// The metric with its current values.
    pub fn figure(&self, values: impl FnOnce(&Read) -> Vec<Value>) -> Figure {
        Figure {
            name: self.name,
            kind: self.kind,
            meaning: self.meaning,
            values: values(&self.read),
        }
    }
}

/// One number without labels.
pub fn single(value: f64) -> Vec<Value> {
    vec![(Vec::new(), value)]
}

/// Yes and no as a number.
pub fn truth(truth: bool) -> f64 {
    f64::from(u8::from(truth))
}

/// A count as a number.
#[expect(
    clippy::cast_precision_loss,
    reason = "no count of ours comes near 2^52"
)]
pub fn float(count: u64) -> f64 {
    count as f64
}

/// A size in memory as a number.
pub fn size(count: usize) -> f64 {
    u64::try_from(count).map_or(f64::MAX, float)
}
