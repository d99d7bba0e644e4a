//! `GET /CSRGeneration/Pending`: pages, order, and every spelling of its parameters.

use super::{Client, appliance_with, invalid, refused};

#[test]
fn a_list_of_120_is_paged_in_every_spelling() {
    let appliance = appliance_with("");
    let service = appliance.start_ready();
    let client = Client::hired(&appliance, &service);
    for n in 1..=120 {
        client.generated(&format!("n{n}.example"));
    }
    let all: Vec<i64> = (1..=120).collect();
    let backwards: Vec<i64> = (1..=120).rev().collect();
    assert_eq!(client.pending_ids(""), all[..50], "page 1 with 50 and ascending");
    for [page, limit, field, ascending] in [
        ["PageReturned", "ReturnLimit", "SortField", "SortAscending"],
        ["pageReturned", "returnLimit", "sortField", "sortAscending"],
        ["sq.pageReturned", "sq.returnLimit", "sq.sortField", "sq.sortAscending"],
    ] {
        for (descending, expected) in [("0", &all), ("1", &backwards)] {
            for sorted in ["Id", "RequestTime"] {
                let mut ids = Vec::new();
                for n in 1.. {
                    let query = format!("?{page}={n}&{limit}=50&{field}={sorted}&{ascending}={descending}");
                    let reply = client.get(&format!("/CSRGeneration/Pending{query}")).expect(200);
                    assert_eq!(reply.header("x-total-count"), Some("120"));
                    let items = reply.json();
                    if items.as_array().unwrap().is_empty() {
                        break;
                    }
                    ids.extend(items.as_array().unwrap().iter().map(|item| item["Id"].as_i64().unwrap()));
                }
                assert_eq!(&ids, expected);
            }
        }
        assert_eq!(client.pending_ids(&format!("?{page}=4&{limit}=33")), all[99..]);
        assert_eq!(client.pending_ids(&format!("?{limit}=1000")), all);
        assert_eq!(client.pending_ids(&format!("?{page}=2147483647&{limit}=10000")), [0; 0]);
    }
    let page = client.pending("?ReturnLimit=120");
    let times: Vec<_> = page.iter().map(|item| item["RequestTime"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");

    client
        .call("DELETE", "/CSRGeneration/Pending", Some(&serde_json::json!((1..=60).collect::<Vec<_>>())))
        .expect(204);
    assert_eq!(client.pending_ids("?PageReturned=2&ReturnLimit=50"), all[110..]);
}

#[test]
fn a_list_that_cannot_be_is_refused() {
    let appliance = appliance_with("");
    let service = appliance.start();
    let client = Client::hired(&appliance, &service);
    let ask = |query: &str| client.get(&format!("/CSRGeneration/Pending?{query}"));
    for query in ["SortField=Subject", "sq.sortField=nonsense"] {
        let told = refused(ask(query), 400, "0xA011004A");
        assert_eq!(told, "SortField: the list is sorted by Id or RequestTime only");
    }
    for (query, told) in [
        ("PageReturned=0", "PageReturned: must be a whole number from 1 to 2147483647"),
        ("sq.pageReturned=x", "PageReturned: must be a whole number from 1 to 2147483647"),
        ("pageReturned=2147483648", "PageReturned: must be a whole number from 1 to 2147483647"),
        ("returnLimit=-5", "ReturnLimit: must be a whole number from 1 to 10000"),
        ("returnLimit=10001", "ReturnLimit: must be a whole number from 1 to 10000"),
        ("SortAscending=2", "SortAscending: must be a whole number from 0 to 1"),
        ("PageReturned=1&sq.pageReturned=2", "PageReturned: stands twice with different values"),
    ] {
        assert_eq!(invalid(ask(query)), told, "{query}");
    }
    assert_eq!(ask("returnLimit=&unknown=x").expect(200).json(), serde_json::json!([]));
}
