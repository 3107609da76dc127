"""The root type `Mutation`. Each mutation is defined in the file of its entity."""

import strawberry

from gql.mutations import conversation, delivery, message, participant, webhook


@strawberry.type(
    description=(
        "Changes the records of the token's account. Each field is one transaction; with `userErrors` it changed "
        "nothing."
    )
)
class Mutation:
    """Each field is one transaction."""

    create_conversation = conversation.create_conversation
    update_conversation = conversation.update_conversation
    update_conversations = conversation.update_conversations
    mark_conversation_read = conversation.mark_conversation_read
    connect_bookings = conversation.connect_bookings
    disconnect_bookings = conversation.disconnect_bookings
    create_message = message.create_message
    report_delivery = delivery.report_delivery
    retry_delivery = delivery.retry_delivery
    add_participant = participant.add_participant
    create_webhook_endpoint = webhook.create_webhook_endpoint
    update_webhook_endpoint = webhook.update_webhook_endpoint
    delete_webhook_endpoint = webhook.delete_webhook_endpoint
    rotate_webhook_secret = webhook.rotate_webhook_secret
    send_test_event = webhook.send_test_event
    redeliver = webhook.redeliver
    replay_webhook = webhook.replay_webhook
