//! An index with many signing requests, written through the store as the service would: a key, a
//! row and its names each.

use std::ops::RangeInclusive;
use std::path::Path;

use serde_json::json;

use strongroom::domain::access::{PrincipalKind, TenantId};
use strongroom::domain::algorithm::KeyKind;
use strongroom::domain::clock::Timestamp;
use strongroom::domain::csr::CsrSpec;
use strongroom::domain::id::{Handle, InstallationId, KeyId};
use strongroom::domain::key::{EvidenceLevel, Key, KeyAttributes, KeyState, Purpose};
use strongroom::domain::san::San;
use strongroom::domain::signing_request::{KeySource, SigningRequest, State, Submission};
use strongroom::store::{self, Principal, Store};
use tokio::runtime::{Builder, Runtime};

const INSTALLATION: InstallationId = InstallationId(*b"page");

/// Rows written in one transaction.
const TOGETHER: usize = 1000;

/// Not a configured one: the start would look for their keys and note each as missing.
const TOKEN: &str = "former";

/// One request in an hour: 100,000 are eleven years.
const MILLIS_APART: i64 = 3_600_000;

/// Makes a database of `rows` signing requests of the default tenant.
pub fn fill(database: &Path, rows: u64) {
    Filling::new(database).rows(1..=rows, |number| {
        let key = key(number);
        (request(number, &key), key)
    });
}

/// Makes a database of so many custom CSRs of each tenant, made by the Cloudflare API; the default tenant comes first.
/// All are on its list.
pub fn fill_custom_csrs(database: &Path, of_each: &[u64]) {
    let filling = Filling::new(database);
    let mut row = 0;
    for (tenant, rows) in (1..).map(TenantId).zip(of_each) {
        if tenant != TenantId::DEFAULT {
            filling.write(move |tx| tx.insert_tenant(&format!("tenant-{}", tenant.0), at(0)));
        }
        let before = row;
        filling.rows(before + 1..=before + rows, |row| {
            let key = Key { tenant: Some(tenant), ..key(row) };
            (custom_csr(SigningRequest { tenant, ..request(row, &key) }, row - before), key)
        });
        row += rows;
    }
}

/// The handle of the n-th signing request of a database.
pub fn handle_of(row: u64) -> Handle {
    handle(row, 1)
}

fn custom_csr(request: SigningRequest, number: u64) -> SigningRequest {
    let state = if request.state == State::Pending { State::Pending } else { State::Issued };
    let sans: Vec<_> = request.spec.sans.iter().map(San::value).collect();
    let document = json!({
        "common_name": sans[0], "country": "NL", "state": "Utrecht", "locality": "Amersfoort",
        "organization": "Example", "sans": sans, "name": sans[0],
    });
    let submission = Submission {
        surface: "cloudflare".into(),
        name: Some(sans[0].clone()),
        document: document.to_string(),
    };
    let number = u32::try_from(number).unwrap();
    SigningRequest { number, state, submission: Some(submission), ..request }
}

/// A database that is being filled.
struct Filling {
    store: Store,
    runtime: Runtime,
}

impl Filling {
    /// With the principal of [`request`].
    fn new(database: &Path) -> Self {
        let store = Store::open(database, INSTALLATION, [7; 32]).unwrap();
        let filling = Self { store, runtime: Builder::new_current_thread().build().unwrap() };
        let principal = Principal {
            handle: handle(0, 0),
            name: "bench".into(),
            kind: PrincipalKind::Service,
            created_at: at(0),
            disabled_at: None,
        };
        filling.write(move |tx| tx.insert_principal(&principal));
        filling
    }

    fn write(&self, work: impl FnOnce(&store::Tx) -> Result<(), store::Error> + Send + 'static) {
        self.runtime.block_on(self.store.write(work)).unwrap();
    }

    fn rows(&self, numbers: RangeInclusive<u64>, row: impl Fn(u64) -> (SigningRequest, Key)) {
        for numbers in numbers.collect::<Vec<_>>().chunks(TOGETHER) {
            let rows: Vec<_> = numbers.iter().map(|number| row(*number)).collect();
            self.write(move |tx| rows.iter().try_for_each(|(request, key)| insert(tx, request, key)));
        }
    }
}

fn insert(tx: &store::Tx, request: &SigningRequest, key: &Key) -> Result<(), store::Error> {
    tx.insert_key(key)?;
    tx.insert_signing_request(request, &request.spec.index_names())
}

/// The signing request of that number, for a key.
pub fn request(number: u64, key: &Key) -> SigningRequest {
    // Most have their certificate; a few wait or came to nothing.
    let state = match number % 20 {
        0 => State::Pending,
        1 => State::Cancelled,
        2..=5 => State::Retired,
        _ => State::Issued,
    };
    let name = format!("host-{number}.customer-{}.example.com", number % 97);
    SigningRequest {
        handle: handle(number, 1),
        tenant: TenantId::DEFAULT,
        number: u32::try_from(number).unwrap(),
        principal: handle(0, 0),
        token: TOKEN.into(),
        kind: key.kind,
        scheme: key.kind.default_scheme(),
        spec: CsrSpec {
            subject: format!("CN={name},O=Example,C=NL").parse().unwrap(),
            sans: vec![format!("DNS:{name}").parse().unwrap(), format!("DNS:www.{name}").parse().unwrap()],
            ..CsrSpec::default()
        },
        key_source: KeySource::New,
        renews: None,
        template: None,
        authority: None,
        validity_days: None,
        submission: None,
        continues: false,
        state,
        key: Some(key.handle),
        csr: Some(vec![7; if number.is_multiple_of(3) { 700 } else { 400 }]),
        failure: None,
        created_at: at(number),
        updated_at: at(number),
    }
}

/// The key of that number.
pub fn key(number: u64) -> Key {
    let kind = if number.is_multiple_of(3) { "rsa-2048" } else { "ec-p256" };
    let kind: KeyKind = kind.parse().unwrap();
    let mut random = [0; 12];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let mut spki = vec![7; if number.is_multiple_of(3) { 294 } else { 91 }];
    spki[..8].copy_from_slice(&number.to_be_bytes());
    let proven = Some(true);
    Key {
        handle: handle(number, 2),
        id: KeyId::new(INSTALLATION, random),
        tenant: Some(TenantId::DEFAULT),
        token: TOKEN.into(),
        kind,
        purpose: Purpose::Request,
        state: KeyState::Present,
        spki,
        attributes: KeyAttributes { local: proven, always_sensitive: proven, ..KeyAttributes::default() },
        evidence: EvidenceLevel::E0.into(),
        created_at: at(number),
    }
}

fn handle(number: u64, what: u8) -> Handle {
    Handle::new(at(number), [what; 10])
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_millis(1_400_000_000_000).plus_millis(MILLIS_APART * number as i64)
}
