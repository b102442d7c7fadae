/* Intrusive lists. */
#include "cmocka_all.h"

#include "base/list.h"

struct item {
    int number;
    struct list link;
};

static int sum(struct list *head)
{
    struct item *item;
    int all = 0;
    list_each(item, head, link) all = all * 10 + item->number;
    return all;
}

static void test_order(void **state)
{
    (void)state;
    struct list head;
    struct item items[4] = {{.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
    list_init(&head);
    assert_true(list_empty(&head));
    assert_int_equal(sum(&head), 0);
    for (int i = 0; i < 4; i++)
        list_append(&head, &items[i].link);
    assert_false(list_empty(&head));
    assert_ptr_equal(list_first(&head, struct item, link), &items[0]);
    assert_int_equal(sum(&head), 1234);
    list_remove(&items[1].link);
    list_remove(&items[1].link); /* in no list now: nothing happens */
    assert_true(list_empty(&items[1].link));
    assert_int_equal(sum(&head), 134);
    list_append(&head, &items[1].link);
    assert_int_equal(sum(&head), 1342);
}

static void test_remove_inside_each(void **state)
{
    (void)state;
    struct list head;
    struct item items[5], *item;
    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].number = i;
        list_append(&head, &items[i].link);
    }
    list_each(item, &head, link)
    {
        if (item->number % 2 == 0)
            list_remove(&item->link);
    }
    assert_int_equal(sum(&head), 13);
    list_each(item, &head, link) list_remove(&item->link);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove_inside_each),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
