"""Tests that look inside a worker of this process, which a worker of another process does not allow.

They run in the other modes. What they check of a network is checked in `tests/network` in its own way, or cannot be
there: each has its reason here.
"""

from __future__ import annotations

_REASONS = {
    "it counts or reads messages inside the worker object": """
        test_a_logging_worker_keeps_its_messages_as_bytes
        test_a_module_travels_in_one_message
        test_a_private_tensor_does_not_travel_with_a_call
        test_a_run_takes_few_messages
        test_a_run_takes_two_messages_a_plan
        test_a_search_is_one_message
        test_a_training_step_is_one_message_and_its_reply
        test_a_verbose_receiver_does_not_stumble
        test_an_op_is_one_message
        test_asking_for_a_shape_is_one_message
        test_deleting_is_one_message
        test_get_is_one_message
        test_is_none_is_one_message
        test_log_msgs_can_be_given_at_construction
        test_many_epochs_with_one_message
        test_messages_go_in_and_come_out_as_bytes
        test_moving_is_one_message_to_each_side
        test_one_call_is_one_message
        test_one_message_runs_a_plan
        test_send_is_one_message
        test_several_outputs_go_on_as_several_arguments
        test_several_results_are_one_message
        test_tensors_go_together_and_not_through_here
        test_the_client_sends_one_message_to_run_it
        test_the_first_run_puts_all_of_a_role_with_one_message
        test_the_log_can_be_read_after_the_objects_are_gone
        test_the_same_worker_may_run_several_plans
        test_the_shape_of_a_result_is_asked_once
    """,
    "it reads what the other process prints": """
        test_a_sent_protocol_runs_there
        test_sent_it_logs_there_and_comes_back
    """,
    "it sets the random state or a policy of the other process": """
        test_a_draw_that_no_result_needs_still_advances_the_stream
        test_a_worker_may_refuse_torchscript
        test_random_ops_draw_anew_each_run_as_the_function_does
    """,
    "it registers a type or a function of this process only": """
        test_a_box_that_cannot_travel_is_not_forgotten
        test_a_python_function_that_the_owner_offers_can_be_called
        test_a_wire_form_of_its_own_is_used
        test_any_object_of_the_owners_is_looked_into
        test_objects_can_be_credentials
        test_sending_and_computing_there
    """,
    "it changes or compares the very objects that a worker of this process holds": """
        test_a_pointer_can_be_built_by_hand
        test_a_pointer_that_comes_home_is_its_target
        test_a_search_result_knows_its_shape_without_asking
        test_a_search_result_that_is_sent_on_and_fetched_deletes_nothing
        test_a_search_result_that_is_sent_on_and_moved_deletes_nothing
        test_a_search_result_that_is_sent_on_deletes_nothing
        test_a_string_pointer_travels_and_comes_home_as_the_text
        test_a_worker_does_not_print_what_it_guards
        test_a_worker_made_again_shares_everything
        test_after_the_model_was_fetched_there_is_none_to_train
        test_current_objects_is_a_shallow_copy
        test_hostile_bytes_are_no_protocol
        test_load_data_stores_and_owns
        test_looking_at_a_stored_pointer_deletes_nothing
        test_objects_can_be_assigned
        test_objects_is_a_live_dict_in_insertion_order
        test_requires_grad_and_the_gradient_travel
        test_set_obj_stores_under_the_object_s_id
        test_the_middle_worker_holds_a_wrapped_pointer
        test_workers_are_equal_by_id
        test_workers_travel_whole_if_asked
    """,
    "it speaks to the worker object without a connection": """
        test_fused_commands_do_not_read_beyond_expanded_tensors
        test_private_values_do_not_get_out_of_hostile_plans
        test_what_such_a_function_returns_is_not_given_out_unless_plain
    """,
    "it searches the worker object itself, which gives pointers over a network": """
        test_an_empty_intermediate_search_result_stays_empty
        test_an_empty_query_finds_every_tagged_object
        test_every_term_must_match
        test_find_by_tag_gives_a_list
        test_find_or_request_asks_the_worker
        test_find_or_request_survives_a_local_tensor_with_the_tag
        test_removed_objects_are_found_no_more
        test_request_search_gives_pointers
        test_request_search_keeps_the_order
        test_search_finds_by_id
        test_search_gives_the_objects_themselves
        test_search_keeps_the_order_of_storing
        test_search_results_print_as_in_the_manual
        test_tagging_a_result_reaches_the_worker
        test_the_example_of_the_manual
    """,
    "it checks a text that names the virtual worker": """
        test_the_text_counts_the_live_objects
        test_virtual_workers_host_no_models
    """,
}

INSIDE: dict[str, str] = {name: reason for reason, names in _REASONS.items() for name in names.split()}
"""The names of the tests, and why they do not run over a network."""
