//! The limits of patterns: memory for as long as a source exists, and work at each event.
//!
//! Everyone who may write annotations can write patterns, so their cost has two limits: one for an
//! object, and one for all objects of a namespace together. A list that exceeds one of them is not
//! read at all.

use std::fmt;

/// Memory of the parsed patterns, in bytes, and the states of their automata: each byte of a name
/// may visit all states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Bytes.
    pub bytes: usize,
    /// States.
    pub states: usize,
}

impl Cost {
    /// Limit of one object: a thousand names, or several dozen expressions.
    pub const OBJECT: Self = Self {
        bytes: 128 << 10,
        states: 1 << 10,
    };

    /// Limit of all objects of one namespace.
    pub const NAMESPACE: Self = Self {
        bytes: 4 << 20,
        states: 16 << 10,
    };

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            states: self.states.saturating_add(other.states),
        }
    }

    /// The rest after this much was spent.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            states: self.states.saturating_sub(other.states),
        }
    }

    fn fits(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.states <= limit.states
    }
}

/// What one object may still spend.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: Cost,
    spent: Cost,
    whose: Limit,
}

/// The limit that is exceeded first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The limit of the object.
    Object,
    /// The limit of all objects of its namespace.
    Namespace,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, cost) = match self {
            Self::Object => ("an object", Cost::OBJECT),
            Self::Namespace => ("all sources of one namespace", Cost::NAMESPACE),
        };
        let (kib, states) = (cost.bytes >> 10, cost.states);
        write!(
            f,
            "too large: the lists of {whose} may take {kib} KiB and {states} states of expressions"
        )
    }
}

impl Budget {
    /// A budget for an object; `others` is what the other objects of its namespace have spent.
    pub fn after(others: Cost) -> Self {
        let left = Cost::NAMESPACE.less(others);
        let whose = if Cost::OBJECT.fits(left) {
            Limit::Object
        } else {
            Limit::Namespace
        };
        Self {
            limit: Cost {
                bytes: left.bytes.min(Cost::OBJECT.bytes),
                states: left.states.min(Cost::OBJECT.states),
            },
            spent: Cost::default(),
            whose,
        }
    }

    /// The cost so far.
    pub fn spent(&self) -> Cost {
        self.spent
    }

    /// The cost that is left.
    pub fn left(&self) -> Cost {
        self.limit.less(self.spent)
    }

    /// Spends this cost, or says which limit forbids it.
    pub fn spend(&mut self, cost: Cost) -> Result<(), Limit> {
        let spent = self.spent.plus(cost);
        if !spent.fits(self.limit) {
            return Err(self.whose);
        }
        self.spent = spent;
        Ok(())
    }

    /// The limit that is exceeded first.
    pub fn limit(&self) -> Limit {
        self.whose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_its_own_limit_and_what_its_namespace_leaves() {
        let states = |states| Cost { bytes: 0, states };
        for (others, spent, expected) in [
            (states(0), states(1 << 10), Ok(())),
            (states(0), states((1 << 10) + 1), Err(Limit::Object)),
            (states(16 << 10), states(1), Err(Limit::Namespace)),
            (states((16 << 10) - 1), states(1), Ok(())),
            (states(1 << 20), states(0), Ok(())),
        ] {
            let mut budget = Budget::after(others);
            assert_eq!(budget.spend(spent), expected, "{others:?} {spent:?}");
        }
    }
}
