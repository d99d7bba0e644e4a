//! What was answered, counted for Prometheus. Labels are templates of routes, codes of errors and
//! names of the configuration: few, and never of a person.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// In seconds: a page takes 1 ms, an EC key 10 ms, an RSA key seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// How an HTTP request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Its method; one of those that HTTP defines, or `OTHER`.
    pub method: &'static str,
    /// The status.
    pub status: u16,
    /// Code of the failure, if it is one.
    pub code: Option<&'static str>,
    /// From its head to the head of the answer.
    pub took: Duration,
}

/// What was answered since the start.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Histogram, fn() -> Histogram>,
    failures: Family<Failure, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    code: &'static str,
}

/// A value as of now: one line of the text per label set.
pub struct Reading {
    /// Without the prefix `strongroom_`.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Label sets and their values.
    pub values: Vec<(Vec<(&'static str, String)>, f64)>,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let requests = Family::new_with_constructor(histogram);
        let failures = Family::default();
        let mut registry = Registry::with_prefix("strongroom");
        let help = "Time from the head of a request to the head of its answer, in seconds";
        registry.register("http_request_duration_seconds", help, requests.clone());
        let help = "Requests that were refused or failed, by the code of the problem document";
        registry.register("failures", help, failures.clone());
        Self { registry, requests, failures }
    }
}

impl Metrics {
    /// Counts an answer to a request for `route`, the template of a path.
    pub fn answered(&self, route: &str, answered: Answered) {
        let outcome = outcome(answered.status);
        let request = Request { method: answered.method, route: route.to_owned(), outcome };
        self.requests.get_or_create(&request).observe(answered.took.as_secs_f64());
        if let Some(code) = answered.code {
            self.failures.get_or_create(&Failure { code }).inc();
        }
    }

    /// Everything so far and these readings, as OpenMetrics text.
    ///
    /// # Errors
    /// None that is known: a text has room.
    pub fn text(&self, readings: Vec<Reading>) -> Result<String, fmt::Error> {
        // A registry of their own: what is gone, such as a state without keys, is then not told on.
        let mut now = Registry::with_prefix("strongroom");
        for Reading { name, help, values } in readings {
            // A family would write `name{}`.
            if let [(labels, value)] = &values[..]
                && labels.is_empty()
            {
                let gauge = Gauge::<f64, AtomicU64>::default();
                gauge.set(*value);
                now.register(name, help, gauge);
                continue;
            }
            let gauges = Family::<Vec<(&'static str, String)>, Gauge<f64, AtomicU64>>::default();
            for (labels, value) in values {
                gauges.get_or_create(&labels).set(value);
            }
            now.register(name, help, gauges);
        }
        let mut text = String::new();
        encode_registry(&mut text, &self.registry)?;
        encode_registry(&mut text, &now)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

fn outcome(status: u16) -> &'static str {
    match status {
        429 | 503 | 504 => "unavailable",
        400..=499 => "refused",
        500..=599 => "failed",
        _ => "done",
    }
}
