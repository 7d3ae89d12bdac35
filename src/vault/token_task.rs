//! The next step for a token, and its time.

use std::time::Duration;

use tokio::time::Instant;

use super::token::{Token, TokenLife};
use crate::base::renewal::{RenewalSchedule, RenewalTurn};
use crate::process::time_limit::chance;

/// What a token needs next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) at: Instant,
    pub(super) step: KeeperStep,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeeperStep {
    /// The token is ours and has an end.
    Keep {
        turn: RenewalTurn,
        schedule: RenewalSchedule,
        errors: u32,
    },
    /// The last login failed.
    LogIn,
    /// The token's time is over and nothing depends on it: the next read logs in.
    Outdated,
}

impl Task {
    /// The next step for a new token.
    pub(super) fn for_new_token(token: &Token) -> Option<Self> {
        let TokenLife {
            since,
            span,
            renewable,
        } = token.life?;
        let schedule = RenewalSchedule::new(span, chance());
        let left = (since + span).saturating_duration_since(Instant::now());
        let (turn, wait) = schedule.next(left, renewable);
        Some(Self::keep(turn, wait, schedule, 0))
    }

    pub(super) fn keep(
        turn: RenewalTurn,
        wait: Duration,
        schedule: RenewalSchedule,
        errors: u32,
    ) -> Self {
        Self {
            at: Instant::now() + wait,
            step: KeeperStep::Keep {
                turn,
                schedule,
                errors,
            },
        }
    }
}
