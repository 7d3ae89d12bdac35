//! Numbers with names, as `/metrics` and a collector are told of them.

/// Name, type (`counter` or `gauge`) and meaning of a metric.
pub type Metric = (&'static str, &'static str, &'static str);

/// A name and what it says.
pub type Label = (&'static str, String);

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of its metric.
    pub name: &'static str,
    /// What it is of.
    pub labels: Vec<Label>,
    /// The number.
    pub value: f64,
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
