//! The OpenAPI document of this surface against the service.

use super::{hire, switched_on};
use crate::access::Office;
use crate::schemathesis::{answers_as_declared, committed, quiet};

const ROLES: [&str; 3] = ["reader", "requester", "operator"];

#[test]
fn the_venafi_surface_answers_as_its_document_says() {
    let appliance = quiet(switched_on());
    let service = appliance.start_ready();
    let people = hire(&appliance, &service);
    let office = Office { service: &service, admin: people.admin };
    let everything = ROLES.map(|role| (role, Some("lab")));
    let key = office.hire("schemathesis", &everything);
    let document = committed("openapi/venafi.json");
    // Calls without a credential are part of what is tried.
    answers_as_declared(&appliance, &service, &document, &[("tppl-api-key", key)]);
}
