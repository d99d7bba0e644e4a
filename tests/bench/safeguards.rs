//! What access, policy and audit cost. They cannot be switched off, so there is no service without them
//! to compare with: their parts of a create are run by themselves, in this process, and held against
//! the whole of it through HTTP. A list page has access alone.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use strongroom::app::SystemClock;
use strongroom::auth::{self, Authenticator, Presented};
use strongroom::domain::access::TenantId;
use strongroom::domain::audit::Actor;
use strongroom::domain::clock::Clock as _;
use strongroom::domain::csr::CsrSpec;
use strongroom::domain::id::{Handle, InstallationId};
use strongroom::domain::policy::{self, Wish};
use strongroom::domain::signing_request::{Command, SigningRequest, State};
use strongroom::domain::template::Template;
use strongroom::http::limits::Limits;
use strongroom::store::{self, Store};
use tokio::runtime::Runtime;

use crate::appliance::{Appliance, Service};
use crate::load::{self, Until};
use crate::report::{Goal, Report, Row, millis};
use crate::{Extent, index, median, note};

/// Each of CN, O, C, number of SANs, host names, key kinds, extensions asked for, key usage, extended key
/// usage and validity has its rule.
const TEN_RULES: &str = r#"version = 1
name = "ten"
description = "Ten rules"

[subject]
CN = { patterns = ["host-[0-9]+[.]example[.]com"] }
O = { fixed = "Example B.V." }
C = { default = "NL", patterns = ["NL|BE"] }

[sans]
min = 1
max = 10

[sans.DNS]
domains = [{ name = "example.com", subdomains = true }]

[keys]
kinds = ["ec-p256", "rsa-3072"]

[extensions]
allowed = ["tls_features"]

[extensions.set]
key_usage = ["digitalSignature"]
extended_key_usage = ["serverAuth"]

[validity]
default = 90
max = 200
"#;

/// Creates of one kind in one turn.
const STRETCH: u64 = 10;

/// How often what takes a microsecond is done for one time.
const OFTEN: u32 = 1000;

/// Creates whose audit records share a commit: as many as there are where many clients wait. Where one
/// client waits, his commit is made for the change itself.
const COMMITTED: u32 = 32;

pub fn measure(data: &Path, extent: &Extent, report: &mut Report) {
    note("access, policy and audit");
    let appliance = Appliance::with(data, "[templates]\ndir = \"templates\"\n");
    appliance.write_template("ten", TEN_RULES);
    let service = appliance.start();
    let (mut without, mut under, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..extent.turns {
        without.push(create(&service, None));
        under.push(create(&service, Some("ten")));
        pages.push(load::run(&service, 1, Until::Sent(STRETCH), 200, |_| service.get("/csrs")).median);
    }
    service.stop();
    let [without, under, page] = [without, under, pages].map(|times| median(&times));
    let row = Row::new("P-256 create under a template of ten rules", format!("{:.2} ms", millis(under)));
    let without = millis(without);
    report.add(row.compared(format!("{without:.2} ms"), millis(under) / without));

    let parts = Parts::new(data);
    let often = |part: &dyn Fn(&Parts) -> Duration| {
        median(&(0..extent.turns).map(|_| part(&parts)).collect::<Vec<_>>())
    };
    let [access, policy, audit] = [often(&Parts::access), often(&Parts::policy), often(&Parts::audit)];
    let micros = |time: Duration| 1e6 * time.as_secs_f64();
    let all = access + policy + audit;
    let what = format!(
        "of it access {:.1} µs, policy {:.1} µs, audit {:.1} µs",
        micros(access),
        micros(policy),
        micros(audit)
    );
    let share = all.as_secs_f64() / under.as_secs_f64();
    let row = Row::new(what, format!("{:.1} µs", micros(all)));
    report.add(row.compared(format!("{:.2} ms", millis(under)), share).goal(Goal::AtMost(0.1), share, ""));
    let row = Row::new("access in a list page", format!("{:.4} ms", millis(access)));
    let share = access.as_secs_f64() / page.as_secs_f64();
    let row = row.compared(format!("{:.2} ms", millis(page)), share);
    report.add(row.goal(Goal::AtMost(0.3), millis(access), " ms"));
}

fn create(service: &Service, template: Option<&str>) -> Duration {
    let request = |n| {
        let mut body = json!({
            "subject": format!("CN=host-{n}.example.com,O=Example B.V.,C=NL"),
            "sans": [format!("DNS:host-{n}.example.com")],
            "key": { "kind": "ec-p256" },
        });
        if let Some(template) = template {
            body["template"] = template.into();
        }
        service.post_csr(&body)
    };
    load::run(service, 1, Until::Sent(STRETCH), 201, request).median
}

/// The parts that a create passes, over an index of their own on the same disk.
struct Parts {
    runtime: Runtime,
    store: Store,
    authenticator: Authenticator,
    limits: Limits,
    api_key: String,
    template: Template,
    wish: Wish,
    request: SigningRequest,
    key: Handle,
    actor: Actor,
    _dir: tempfile::TempDir,
}

impl Parts {
    fn new(data: &Path) -> Self {
        let dir = tempfile::TempDir::with_prefix_in("bench-", data).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store =
            Store::open(&dir.path().join("strongroom.db"), InstallationId(*b"part"), [7; 32]).unwrap();
        let key_file = dir.path().join("api-key");
        runtime.block_on(auth::file::register(&store, &key_file, &SystemClock)).unwrap();
        let api_key = std::fs::read_to_string(key_file).unwrap().trim().to_owned();
        let authenticator = Authenticator::new(store.clone(), Arc::new(SystemClock));
        let bearer = Presented::Bearer(&api_key);
        let principal = runtime.block_on(authenticator.identify(0, bearer)).unwrap().unwrap().principal;
        let key = index::key(1);
        let spec = CsrSpec {
            subject: "CN=host-1.example.com,O=Example B.V.,C=NL".parse().unwrap(),
            sans: vec!["DNS:host-1.example.com".parse().unwrap()],
            ..CsrSpec::default()
        };
        let made = index::request(1, &key);
        let request =
            SigningRequest { spec: spec.clone(), state: State::Intent, key: None, csr: None, ..made };
        let (from, request_id) = ("tcp 127.0.0.1:50000".to_owned(), key.handle.to_string());
        let tenant = Some(TenantId::DEFAULT);
        Self {
            runtime,
            store,
            authenticator,
            // Nobody is refused.
            limits: Limits::new(u32::MAX, u32::MAX),
            api_key,
            template: Template::from_toml(TEN_RULES).unwrap(),
            wish: Wish { spec, ..Wish::default() },
            request,
            key: key.handle,
            actor: Actor::Principal { handle: principal, from, tenant, request: request_id },
            _dir: dir,
        }
    }

    /// Who it is, what he was granted, and whether he asks too often.
    fn access(&self) -> Duration {
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let started = Instant::now();
        self.runtime.block_on(async {
            for _ in 0..OFTEN {
                self.limits.may_log_in(from).unwrap();
                let presented = Presented::Bearer(&self.api_key);
                let identity = self.authenticator.identify(0, presented).await.unwrap().unwrap();
                self.limits.request(identity.principal).unwrap();
                assert!(identity.grants.usual_tenant().is_some());
            }
        });
        started.elapsed() / OFTEN
    }

    fn policy(&self) -> Duration {
        let started = Instant::now();
        for _ in 0..OFTEN {
            policy::evaluate(&self.template, self.wish.clone()).unwrap();
        }
        started.elapsed() / OFTEN
    }

    /// The three records of a create, with the pseudonym of its name and the hash of what was asked.
    fn audit(&self) -> Duration {
        let (request, actor, key) = (self.request.clone(), self.actor.clone(), self.key);
        let started = Instant::now();
        let written = self.store.write(move |tx| -> Result<(), store::Error> {
            for _ in 0..COMMITTED {
                let now = SystemClock.now();
                let mut intended = request.intent_event();
                intended.detail["names"] = json!([pseudonym("host-1.example.com")]);
                let generated = request.clone().apply(Command::Generated { key }, now).unwrap();
                let signed = generated.0.apply(Command::Signed { csr: Vec::new() }, now).unwrap();
                for event in [&intended, &generated.1, &signed.1] {
                    tx.append_audit(&actor, now, event)?;
                }
            }
            Ok(())
        });
        self.runtime.block_on(written).unwrap();
        started.elapsed() / COMMITTED
    }
}

fn pseudonym(value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    mac.update(value.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}
