//! The table. A goal is told as met or not met, and never asserted: a busy machine is no bug.

use std::fmt;
use std::time::Duration;

use crate::load::Outcome;

#[derive(Default)]
pub struct Report(Vec<Row>);

/// A line of the table.
#[derive(Default)]
pub struct Row {
    what: String,
    result: String,
    latency: String,
    compared: String,
    ratio: String,
    goal: String,
}

/// What a number should be.
#[derive(Clone, Copy)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub fn add(&mut self, row: Row) {
        self.0.push(row);
    }
}

impl Row {
    /// With a result such as `12 ms`.
    pub fn new(what: impl Into<String>, result: String) -> Self {
        Self { what: what.into(), result, ..Self::default() }
    }

    /// With the rate and the latency of a load.
    pub fn load(what: impl Into<String>, outcome: Outcome) -> Self {
        let latency = format!("{:.1} / {:.1} ms", millis(outcome.median), millis(outcome.p99));
        Self { latency, ..Self::new(what, rate(outcome.rate)) }
    }

    /// Beside what it is compared with, and their ratio.
    pub fn compared(self, with: String, ratio: f64) -> Self {
        Self { compared: with, ratio: format!("{ratio:.2}"), ..self }
    }

    /// Held against a goal: `number`, in `unit`.
    pub fn goal(self, goal: Goal, number: f64, unit: &str) -> Self {
        let (sign, bound, met) = match goal {
            Goal::AtLeast(bound) => (">=", bound, number >= bound),
            Goal::AtMost(bound) => ("<=", bound, number <= bound),
        };
        let verdict = if met { "met" } else { "NOT MET" };
        Self { goal: format!("{sign} {bound}{unit}: {verdict}"), ..self }
    }
}

pub fn rate(per_second: f64) -> String {
    format!("{per_second:.0} /s")
}

pub fn millis(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = Row {
            what: String::new(),
            result: "result".into(),
            latency: "median / 99 %".into(),
            compared: "compared to".into(),
            ratio: "ratio".into(),
            goal: "goal".into(),
        };
        let widest = self.0.iter().map(|row| row.what.len()).max().unwrap_or(0);
        for Row { what, result, latency, compared, ratio, goal } in std::iter::once(&heading).chain(&self.0) {
            let line = format!("{what:<widest$}{result:>10}{latency:>17}{compared:>13}{ratio:>7}  {goal}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
