//! The budget of a template: steps limit its time, bytes its memory.

use std::cell::Cell;

use super::Problem;

/// The most steps of one template.
const STEPS: u32 = 100_000;

/// The most bytes that its functions may read and make: a Secret may have 1 MiB, and each step may
/// go through it.
const BYTES: usize = 32 * 1024 * 1024;

/// The steps and bytes that are left.
pub(super) struct Meter {
    steps: Cell<u32>,
    bytes: Cell<usize>,
}

impl Meter {
    /// The whole budget of one template.
    pub(super) fn full() -> Self {
        Self::with_limits(STEPS, BYTES)
    }

    fn with_limits(steps: u32, bytes: usize) -> Self {
        Self {
            steps: Cell::new(steps),
            bytes: Cell::new(bytes),
        }
    }

    /// Takes one step from the budget.
    pub(super) fn step(&self) -> Result<(), Problem> {
        let spent = Problem::Excess("it makes more than 100000 steps");
        self.steps
            .set(self.steps.get().checked_sub(1).ok_or(spent)?);
        Ok(())
    }

    /// Takes bytes that are read or made from the budget.
    pub(super) fn bytes(&self, count: usize) -> Result<(), Problem> {
        let spent = Problem::Excess("it makes more than 32 MiB of text on its way");
        let left = self.bytes.get().checked_sub(count).ok_or(spent)?;
        self.bytes.set(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_can_be_spent_to_the_last() {
        let meter = Meter::with_limits(2, 10);
        let steps: Vec<_> = (0..3).map(|_| meter.step().is_ok()).collect();
        assert_eq!(steps, [true, true, false]);
        // A refused request costs nothing.
        let bytes = [4, 7, 6, 1].map(|count| meter.bytes(count).is_ok());
        assert_eq!(bytes, [true, false, true, false]);
    }
}
