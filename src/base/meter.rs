//! What a template may still spend: steps bound its time, bytes its memory. Each language of
//! templates has limits of its own, and says in its own words which of them was met.

use std::cell::Cell;

/// Steps and bytes that are left.
pub(crate) struct Meter {
    steps: Cell<u32>,
    bytes: Cell<usize>,
}

/// What there is no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Steps,
    Bytes,
}

impl Meter {
    /// With so much to spend.
    pub(crate) fn of(steps: u32, bytes: usize) -> Self {
        Self {
            steps: Cell::new(steps),
            bytes: Cell::new(bytes),
        }
    }

    /// Pays for one step.
    pub(crate) fn step(&self) -> Result<(), Spent> {
        let left = self.steps.get().checked_sub(1).ok_or(Spent::Steps)?;
        self.steps.set(left);
        Ok(())
    }

    /// Pays for so many bytes that are read, or are about to be made.
    pub(crate) fn bytes(&self, count: usize) -> Result<(), Spent> {
        let left = self.bytes.get().checked_sub(count).ok_or(Spent::Bytes)?;
        self.bytes.set(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_can_be_spent_to_the_last() {
        let meter = Meter::of(2, 10);
        let steps: Vec<_> = (0..3).map(|_| meter.step()).collect();
        assert_eq!(steps, [Ok(()), Ok(()), Err(Spent::Steps)]);
        // What is refused costs nothing.
        let bytes = [4, 7, 6, 1].map(|count| meter.bytes(count));
        assert_eq!(
            bytes,
            [Ok(()), Err(Spent::Bytes), Ok(()), Err(Spent::Bytes)]
        );
    }
}
