//! The middle and the ends of a series of measurements.

/// The middle and the ends of what was seen.
#[derive(Clone, Copy)]
pub(crate) struct Spread<T> {
    /// Half are below it.
    pub(crate) median: T,
    /// The least.
    pub(crate) min: T,
    /// The most.
    pub(crate) max: T,
}

impl<T: Ord + Copy> Spread<T> {
    /// Of at least one value.
    pub(crate) fn of(values: impl Iterator<Item = T>) -> Self {
        let mut values: Vec<T> = values.collect();
        values.sort_unstable();
        let last = values
            .len()
            .checked_sub(1)
            .expect("there is at least one round");
        Self {
            median: values[last / 2],
            min: values[0],
            max: values[last],
        }
    }
}
