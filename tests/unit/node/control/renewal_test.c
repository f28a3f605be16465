/* When a certificate is to be renewed, and how patiently. */
#include "node/control/renewal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DAY_MS 86400000ull

static const struct renewal_facts fine = {
    .from_ms = 1000 * DAY_MS, .until_ms = 1300 * DAY_MS, .is_signed = true};

static void a_young_certificate_stays(void **state)
{
    (void)state;
    assert_int_equal(renewal_due(&fine, 1000 * DAY_MS), RENEWAL_NONE);
    assert_int_equal(renewal_due(&fine, 1200 * DAY_MS - 1), RENEWAL_NONE);
    assert_int_equal(renewal_due(&fine, 1), RENEWAL_NONE); /* a clock that is behind */
}

static void two_thirds_of_its_life_are_enough(void **state)
{
    (void)state;
    assert_int_equal(renewal_due(&fine, 1200 * DAY_MS), RENEWAL_AGE);
    assert_int_equal(renewal_due(&fine, 9999 * DAY_MS), RENEWAL_AGE);
}

static void what_is_retired_or_of_another_authority_goes(void **state)
{
    struct renewal_facts facts = fine;

    (void)state;
    facts.is_retired = true;
    assert_int_equal(renewal_due(&facts, 1000 * DAY_MS), RENEWAL_RETIRED);
    facts.is_signed = false;
    assert_int_equal(renewal_due(&facts, 1000 * DAY_MS), RENEWAL_AUTHORITY);
    facts.is_retired = false;
    assert_int_equal(renewal_due(&facts, 9999 * DAY_MS), RENEWAL_AUTHORITY);
}

static void failures_make_it_patient_to_a_minute(void **state)
{
    (void)state;
    assert_int_equal(renewal_pause_ms(1), 1000);
    assert_int_equal(renewal_pause_ms(2), 2000);
    assert_int_equal(renewal_pause_ms(4), 8000);
    assert_int_equal(renewal_pause_ms(4000000000u), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_young_certificate_stays),
        cmocka_unit_test(two_thirds_of_its_life_are_enough),
        cmocka_unit_test(what_is_retired_or_of_another_authority_goes),
        cmocka_unit_test(failures_make_it_patient_to_a_minute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
